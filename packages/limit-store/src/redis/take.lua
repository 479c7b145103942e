-- Decides takes, each by itself and one after the other: `cost` is taken from every limit of a take, or from none, as a request
-- that one limit denies must not use up another. Windows alone count what is denied too, since they count as
-- envoyproxy/ratelimit does. Takes that arrive together are decided together: a command costs Redis more than a decision.
--
-- KEYS      the state of each limit of the first take, then of the second, ...; one may come again in a later take. All carry
--           one {organization_id} tag where there is a Cluster, as it runs a script on one slot
-- ARGV[1]   how many takes; then for each of them:
--   cost    a whole number; 0 looks and takes nothing
--   modes   for each of its limits a letter: 's' in shadow (denies nothing; taken from where all limits fit, the shadow ones
--           too), 'e' enforced
--   and for each of its limits one of:  'rate', per minute (may be a fraction), burst
--                                       'day', quota, 0
--                                       'month', quota, anchor day 1..31 (a month that lacks it: its last day)
--                                       'window', quota, its length in milliseconds; it begins at a multiple of that
-- Returns {now, and for each take: allowed, left 1, reset 1, wait 1, left 2, ...}, whole numbers; times are Unix milliseconds:
--   allowed  1 or 0; 0 has taken from no limit but windows. A limit in shadow whose wait is not 0 has not made it 0
--   left     whole requests left, rounded down
--   reset    when the bucket is full, or when the quota or window starts anew
--   wait     milliseconds until this cost fits this limit, rounded up, so that waiting them is enough; 0 fits now, as a
--            look always does but in a window that has denied; -1 never fits: the cost is more than the limit itself
--
-- State, a string that a person can read, gone when it says no more than its absence does (SLACK_MS later):
--   rate     "<units>@<at>"    what the bucket held at the microsecond `at`, in units of 1/60,000,000 request
--   quota    "<used>/<start>"  what was used in the period that began at `start`; so a raised quota counts at once
--   window   "<used>#<start>"  likewise, and what was denied in it
--
-- Clock: TIME of this Redis alone, in microseconds. In these units `per minute` units come back each microsecond, so all
-- arithmetic is in whole numbers, and only an allowed take writes, so that many denied callers round nothing away. A fraction
-- of a unit is rounded against the caller, once a take. Hence in any window of t seconds at most burst + t * per minute / 60
-- pass, and one who always asks gets all of that but 1/60,000,000 of each request. Doubles hold this exactly up to a burst
-- of 150 million; above (to 10^12) a take errs by less than 1/10,000 of a request.
--
-- A clock that went back by up to STEP_BACK_MS gives nothing twice: refill waits, and a period that began stays begun.
-- One that went back further had been wrong: refill and period go on from the new time, so that nobody is locked out, and
-- that new time is written even by a look or a denial, or it would be lost when the clock draws near the old one again.
--
-- A changed limit goes on from the state it finds: a bucket above its new burst is cut to it, a refill since the last take
-- counts at the new rate, what was used of a quota or window stays used. A state of another kind under the same key counts as none.

local UNITS = 60000000
local STEP_BACK_MS = 60000
local SLACK_MS = 60000
local DAY_MS = 86400000
local DAYS_BEFORE = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334}

local floor, ceil, min, max = math.floor, math.ceil, math.min, math.max
local match, format, sub = string.match, string.format, string.sub

local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now_ms = floor(now_us / 1000)

-- The microseconds in which so many units come back, rounded up so that waiting them is enough.
local function refill_us(units, per_minute)
  local us = ceil(units / per_minute)
  return floor(us * per_minute) < units and us + 1 or us
end

-- What the bucket holds at `at_us`. That is now, or the time in the near future that a clock had reached before it went back.
local function look_at_bucket(saved, cost, per_minute, burst)
  local full = burst * UNITS
  local units, at_us = match(saved or '', '^(%d+)@(%d+)$')
  local bucket = {units = tonumber(units) or full, at_us = tonumber(at_us) or now_us}
  if bucket.at_us < now_us then
    bucket.units = bucket.units + floor((now_us - bucket.at_us) * per_minute)
    bucket.at_us = now_us
  elseif bucket.at_us > now_us + STEP_BACK_MS * 1000 then
    bucket.at_us = now_us
    bucket.is_astray = true
  end
  bucket.units = min(full, bucket.units)

  local missing = cost * UNITS - bucket.units
  if cost > burst then bucket.wait = -1
  elseif missing <= 0 then bucket.wait = 0
  else bucket.wait = ceil((bucket.at_us + refill_us(missing, per_minute) - now_us) / 1000) end
  return bucket
end

-- Days from 1970-01-01 to the first of a month, which is counted from January 1970 = 0.
local function first_day(month)
  local year, of_year = 1970 + floor(month / 12), month % 12
  local past = of_year < 2 and year - 1 or year        -- the last year whose February is over
  local leap_days = floor(past / 4) - floor(past / 100) + floor(past / 400) - 477
  return 365 * (year - 1970) + leap_days + DAYS_BEFORE[of_year + 1]
end

local function anchor_ms(month, anchor_day)
  local first = first_day(month)
  return (first + min(anchor_day, first_day(month + 1) - first) - 1) * DAY_MS
end

local function period(kind, detail, at_ms)
  if kind == 'window' then
    local start_ms = floor(at_ms / detail) * detail
    return start_ms, start_ms + detail
  end
  local day = floor(at_ms / DAY_MS)
  if kind == 'day' then return day * DAY_MS, (day + 1) * DAY_MS end
  local month = floor(day / 30.436875)            -- the average month: right, or off by one near a month's edge
  if first_day(month) > day then month = month - 1 elseif first_day(month + 1) <= day then month = month + 1 end
  if at_ms < anchor_ms(month, detail) then month = month - 1 end
  return anchor_ms(month, detail), anchor_ms(month + 1, detail)
end

local function look_at_counter(saved, cost, kind, quota, detail)
  local used, since_ms = match(saved or '', kind == 'window' and '^(%d+)#(%d+)$' or '^(%d+)/(%d+)$')
  used, since_ms = tonumber(used) or 0, tonumber(since_ms) or 0
  local is_just_ahead = since_ms > now_ms and since_ms <= now_ms + STEP_BACK_MS
  local at_ms = is_just_ahead and since_ms or now_ms
  local start_ms, end_ms = period(kind, detail, at_ms)
  if since_ms < start_ms or since_ms > at_ms then used = 0 end

  local is_astray = since_ms > now_ms + STEP_BACK_MS
  local counter = {used = used, start_ms = start_ms, end_ms = end_ms, is_astray = is_astray}
  if cost > quota then counter.wait = -1
  elseif used + cost <= quota or (cost == 0 and kind ~= 'window') then counter.wait = 0
  else counter.wait = ceil((end_ms * 1000 - now_us) / 1000) end
  return counter
end

-- What Redis keeps under a key, and what it is to keep: written once for all takes, after the last, so that an error has
-- written nothing.
local saved, keys, keep_until_ms = {}, {}, {}
for _, key in ipairs(KEYS) do
  if saved[key] == nil then
    saved[key] = false
    keys[#keys + 1] = key
  end
end
if #keys > 0 then
  for i, value in ipairs(redis.call('MGET', unpack(keys))) do saved[keys[i]] = value end
end
local function keep(key, form, amount, at, until_ms)
  saved[key] = format(form, amount, at)
  keep_until_ms[key] = until_ms + SLACK_MS
end

local reply, told = {now_ms}, 1
local function tell(number)
  told = told + 1
  reply[told] = number
end

-- Decides one take, whose keys come after KEYS[before] and whose limits begin at ARGV[at].
local function take(cost, modes, before, at)
  local states, is_allowed, fits_shadows = {}, true, true
  for i = 1, #modes do
    local kind, amount, detail = ARGV[at + 3 * i - 3], tonumber(ARGV[at + 3 * i - 2]), tonumber(ARGV[at + 3 * i - 1])
    local found = saved[KEYS[before + i]]
    local state = kind == 'rate' and look_at_bucket(found, cost, amount, detail) or look_at_counter(found, cost, kind, amount, detail)
    state.kind, state.amount, state.detail, state.is_shadow = kind, amount, detail, sub(modes, i, i) == 's'
    if state.wait ~= 0 then
      if state.is_shadow then fits_shadows = false else is_allowed = false end
    end
    states[i] = state
  end

  tell(is_allowed and 1 or 0)
  for i, state in ipairs(states) do
    local key, left, reset_ms = KEYS[before + i], nil, nil
    local taken = is_allowed and (fits_shadows or not state.is_shadow) and cost or 0
    if state.kind == 'rate' then
      state.units = state.units - taken * UNITS
      left = floor(state.units / UNITS)
      reset_ms = ceil((state.at_us + refill_us(state.detail * UNITS - state.units, state.amount)) / 1000)
      if taken > 0 or state.is_astray then keep(key, '%.0f@%.0f', state.units, state.at_us, reset_ms) end
    else
      local is_window = state.kind == 'window'
      local counted = is_window and cost or taken
      state.used = state.used + counted
      left = max(0, state.amount - state.used)
      reset_ms = state.end_ms
      local form = is_window and '%.0f#%.0f' or '%.0f/%.0f'
      if counted > 0 or state.is_astray then keep(key, form, state.used, state.start_ms, reset_ms) end
    end
    tell(left) tell(reset_ms) tell(state.wait)
  end
end

local before, at = 0, 2
for _ = 1, tonumber(ARGV[1]) do
  local cost, modes = tonumber(ARGV[at]), ARGV[at + 1]
  take(cost, modes, before, at + 2)
  before, at = before + #modes, at + 2 + 3 * #modes
end
for key, until_ms in pairs(keep_until_ms) do redis.call('SET', key, saved[key], 'PXAT', format('%.0f', until_ms)) end
return reply
