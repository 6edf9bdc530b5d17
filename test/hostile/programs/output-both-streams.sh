# tries: to flood both streams at once with two writers
# threats: 10 11
# limits: {"outputBytes": 3000000, "wallMs": 60000}
# ends: output_limit
yes error >&2 &
exec yes output
