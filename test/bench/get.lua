-- Reads one of 100,000 keys. Requests are made before the clock starts.
local requests = {}
local next_request = 0

function init()
    for i = 1, 65536 do
        requests[i] = wrk.format("GET", "/v1.0/state/statestore/key-" ..
            math.random(0, 99999))
    end
end

function request()
    next_request = next_request % #requests + 1
    return requests[next_request]
end
