-- What wrk sends: a handful of methods and paths in turn, so that routes must be looked up, and what it prints at the
-- end, for programs to read.

local wanted = {
  { "GET", "/api/v1/orders/17" },
  { "GET", "/api/v1/orders/18/items?page=2" },
  { "POST", "/api/v1/orders" },
  { "GET", "/api/v1/users/42" },
  { "GET", "/search?q=blue+lamp" },
  { "GET", "/static/logo.svg" },
  { "PUT", "/api/v1/cart/9" },
  { "GET", "/health" },
}

local requests = {}
local last = 0

function init()
  for index, request in ipairs(wanted) do
    local body = (request[1] == "POST" or request[1] == "PUT") and '{"sku":4711,"count":1}' or nil
    requests[index] = wrk.format(request[1], request[2], nil, body)
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'summary {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"errors":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
