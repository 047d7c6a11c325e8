-- Reads one of 100,000 keys.
function request()
    return wrk.format(nil, "/v1.0/state/statestore/key-" ..
        math.random(0, 99999))
end
