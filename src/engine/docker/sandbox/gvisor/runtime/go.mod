module berth/gvisor-runtime

go 1.19
