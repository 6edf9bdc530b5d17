module berth/enclosure

go 1.19
