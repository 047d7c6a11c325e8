-- Saves one of 100,000 keys with a value of 150 bytes.
local value = string.rep("x", 150)
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"

function request()
    local body = '[{"key":"key-' .. math.random(0, 99999) ..
        '","value":"' .. value .. '"}]'
    return wrk.format(nil, nil, nil, body)
end
