-- Saves one of 100,000 keys with a value of 150 bytes. Requests are made before
-- the clock starts, so that the client's own work is not what is measured.
local requests = {}
local next_request = 0

function init()
    local value = string.rep("x", 150)
    wrk.method = "POST"
    wrk.headers["content-type"] = "application/json"
    for i = 1, 65536 do
        local body = '[{"key":"key-' .. math.random(0, 99999) ..
            '","value":"' .. value .. '"}]'
        requests[i] = wrk.format(nil, nil, nil, body)
    end
end

function request()
    next_request = next_request % #requests + 1
    return requests[next_request]
end
