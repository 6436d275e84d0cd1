import { createHash } from "node:crypto";

/** Part of every key, so that data of another layout is never touched. */
const FORMAT = 1;

/**
 * The keys of one log. No text from outside is part of a key, so no two keys can be made to collide. The tag
 * keeps the keys in one slot of a Redis Cluster.
 */
export interface LogKeys {
  /** A stream: the entries. */
  readonly log: string;
  /** A hash: by session, its owner and its record, as `<owner> <record>`. */
  readonly rows: string;
  /**
   * A hash: the register. `count` of the entries; `bytes` and `marks`, see below; by writer, `s:` the number
   * of its last batch or `x` once it is evicted, `l:` its lease, `n:` its node id; by node id, `i:` the
   * writer; `id`, which names this log, and is the name of the first writer that joined.
   */
  readonly nodes: string;
  /** A hash: by the key of a profile, its last writer and its record, as in `rows`. */
  readonly profiles: string;
  /** A sorted set: until when each profile is kept, in milliseconds since 1970. */
  readonly kept: string;
}

export function keysOf(shard: number): LogKeys {
  const tag = `presence:${FORMAT}:{${shard}}`;
  return {
    log: `${tag}:log`,
    rows: `${tag}:rows`,
    nodes: `${tag}:nodes`,
    profiles: `${tag}:profiles`,
    kept: `${tag}:kept`,
  };
}

export interface Script {
  readonly text: string;
  readonly sha: string;
}

/*
 * Redis keeps words of its own for these operations and entries, as earlier versions wrote them:
 *
 * | here | in the scripts and the log |
 * |---|---|
 * | `takeover` | `claim` |
 * | `forceEnd` | `kick` |
 * | `evict` (the entry) | `bury` |
 */

/**
 * KEYS and the first arguments are the same for all scripts: the keys in the order above; how many entries
 * the log keeps at most, and how many bytes.
 */
function script(body: string): Script {
  const text = `${PRELUDE}${body}`;
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

/**
 * The most that an entry and each of its fields take in Redis beside their text: a node of the radix tree,
 * and the lengths in the listpack. `ROUNDING` is by how much the allocator rounds up. A test compares the
 * sums with MEMORY USAGE.
 */
const ENTRY_BYTES = 256;
const FIELD_BYTES = 16;
const ROUNDING = 1.25;
/**
 * The log is trimmed at marks, a 32nd of its bound apart: it never loses more than that, and trimming is
 * cheap.
 */
const STRETCHES = 32;

/**
 * The log is measured as it is written. `bytes` holds the size of the log, the count before its first entry,
 * and the size at which the next mark is due. `marks` holds the size and the count at some entries, the
 * oldest first. When the log outgrows its bound, it is trimmed at one of them. A log that an earlier version
 * wrote was not measured, and is trimmed at the first write.
 *
 * A full Redis refuses the first write of a script that needs memory, and nothing is done. Then (`put`
 * returns false) XTRIM comes first (`relieve`). It needs no memory, and after it Redis takes every write of
 * the script. So the script itself has to keep Redis from growing: what it writes is at most half of what
 * was freed, both as measured, or is a heartbeat, an end, or a node that comes or goes. A log of small
 * entries frees as little as a tenth of what is measured. Then a batch may take Redis over its limit. The
 * next write is refused again, and trims again, down to a 16th of the bound.
 */
const PRELUDE = `
local log, rows, nodes, kept, bound = KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[1]), tonumber(ARGV[2])
local profiles, keptUntil = KEYS[4], KEYS[5]
local measured = redis.call('HMGET', nodes, 'count', 'bytes')
local count = tonumber(measured[1] or 0) or 0
if not (count >= 0 and count <= 9e13 and count % 1 == 0) then count = 0 end
local size, from, due = string.match(measured[2] or '', '^(%d+) (%d+) (%d+)$')
size, from, due = tonumber(size), tonumber(from), tonumber(due)
if not due or size > 9e13 or from > count then size, from, due = 0, count, 0 end
local marks
local function readMarks()
  if marks then return end
  marks = {}
  for at, number in string.gmatch(redis.call('HGET', nodes, 'marks') or '', '(%d+):(%d+)') do
    at, number = tonumber(at), tonumber(number)
    if at <= size and number >= from and number <= count then marks[#marks + 1] = {at, number} end
  end
end
local function shorten(limit)
  if size <= limit then return end
  readMarks()
  local cut = 0
  while size - cut > limit and #marks > 0 do
    local mark = table.remove(marks, 1)
    cut, from = mark[1], mark[2]
  end
  if size - cut > limit then cut, from = size, count end
  size, due = size - cut, math.max(0, due - cut)
  for _, mark in ipairs(marks) do mark[1] = mark[1] - cut end
end
local function sizeOf(text, facts)
  local bytes = #text
  for i = 1, #facts do bytes = bytes + ${FIELD_BYTES} + #facts[i] end
  return math.ceil(${ENTRY_BYTES} + ${ROUNDING} * bytes)
end
local function put(kind, text, facts, fields)
  local before = {count, size, from, due}
  local bytes = sizeOf(text, facts)
  shorten(bound - bytes)
  count, size = count + 1, size + bytes
  if size >= due then
    readMarks()
    marks[#marks + 1] = {size, count}
    due = math.floor(size + bound / ${STRETCHES})
  end
  local place = string.format('%.0f %.0f %.0f', size, from, due)
  local reply = redis.pcall('HSET', nodes, 'count', count, 'bytes', place, unpack(fields))
  if type(reply) == 'table' and reply.err then
    if not string.find(reply.err, 'OOM command', 1, true) then error(reply.err) end
    count, size, from, due = unpack(before)
    marks = nil
    return false
  end
  if marks then
    local texts = {}
    for i, mark in ipairs(marks) do texts[i] = string.format('%.0f:%.0f', mark[1], mark[2]) end
    redis.call('HSET', nodes, 'marks', table.concat(texts, ' '))
  end
  redis.call('XADD', log, 'MAXLEN', '~', math.min(kept, count - from), '*', kind, count .. ' ' .. text, unpack(facts))
  return true
end
local function relieve()
  local before = size
  shorten(math.max(size / 2, bound / ${STRETCHES / 2}))
  redis.call('XTRIM', log, 'MAXLEN', '~', count - from)
  return before - size
end
local function add(kind, text, fields)
  if put(kind, text, {}, fields) then return end
  relieve()
  put(kind, text, {}, fields)
end
local lives = {}
local function alive(writer)
  if lives[writer] == nil then
    local seq = redis.call('HGET', nodes, 's:' .. writer)
    lives[writer] = seq and seq ~= 'x'
  end
  return lives[writer]
end
local function bury(writer)
  add('bury', writer, {'s:' .. writer, 'x'})
end
`;

/** How many profiles whose time is over one batch removes at most. */
const MAX_REMOVED_PROFILES = 1_000;

/**
 * ARGV: writer, seq, how many profiles are kept at most, then for each op its kind, session (or key of a
 * profile) and text. Returns the count of the log and the number
 * of the writer's last batch: -1 if it is evicted, -2 if the register does not have it. A third value: Redis
 * is full, only ends are done.
 */
const append = script(`
local writer, seq = ARGV[3], tonumber(ARGV[4])
local last = redis.call('HGET', nodes, 's:' .. writer)
if not last then return {count, -2} end
last = tonumber(last)
if not last then return {count, -1} end
if last + 1 ~= seq then return {count, last} end
local ids = {}
for i = 7, #ARGV, 3 do ids[#ids + 1] = ARGV[i] end
local found = #ids > 0 and redis.call('HMGET', rows, unpack(ids)) or {}
local facts, ends, sets, dels, told, times = {}, {}, {}, {}, {}, {}
local function versionOf(record)
  local version, till = string.match(record, '"profile",(%d+),(%d+),')
  return tonumber(version), tonumber(till)
end
local now
for i, id in ipairs(ids) do
  local kind, text = ARGV[3 * i + 3], ARGV[3 * i + 5]
  if kind == 'profile' then
    local version, till = versionOf(text)
    local before = redis.call('HGET', profiles, id)
    local known, over = versionOf(before or '')
    now = now or redis.call('TIME')[1] * 1000
    if version and (not known or version > known or over <= now) then
      facts[#facts + 1] = id
      facts[#facts + 1] = text
      told[#told + 1] = id
      told[#told + 1] = writer .. ' ' .. text
      times[#times + 1] = till
      times[#times + 1] = id
    end
  else
    local owner = found[i] and string.match(found[i], '^%S+')
    local free = not owner or owner == writer or not alive(owner)
    if kind == 'claim' or kind == 'kick' or (free and (owner or kind ~= 'patch')) then
      facts[#facts + 1] = id
      facts[#facts + 1] = text
      if kind == 'end' or kind == 'kick' then
        dels[#dels + 1] = id
        ends[#ends + 1] = id
        ends[#ends + 1] = text
      else
        sets[#sets + 1] = id
        sets[#sets + 1] = writer .. ' ' .. text
      end
    end
  end
end
local text, fields = seq .. ' ' .. writer, {'s:' .. writer, seq}
local full
if not put('batch', text, facts, fields) then
  -- Sizes are measured from above, so twice the size has to come free. It may still be too little.
  if relieve() < 2 * (sizeOf(text, facts) + sizeOf('', sets) + 2 * sizeOf('', told)) then
    full, text, facts, sets, told = 1, text .. ' full', ends, {}, {}
  end
  put('batch', text, facts, fields)
end
if #sets > 0 then redis.call('HSET', rows, unpack(sets)) end
if #dels > 0 then redis.call('HDEL', rows, unpack(dels)) end
if #told > 0 then
  redis.call('HSET', profiles, unpack(told))
  redis.call('ZADD', keptUntil, unpack(times))
  local over = redis.call('ZRANGEBYSCORE', keptUntil, '-inf', now, 'LIMIT', 0, ${MAX_REMOVED_PROFILES})
  local more = redis.call('ZCARD', keptUntil) - #over - tonumber(ARGV[5])
  if more > 0 then
    for _, id in ipairs(redis.call('ZRANGE', keptUntil, #over, #over + math.min(more, ${MAX_REMOVED_PROFILES}) - 1)) do
      over[#over + 1] = id
    end
  end
  if #over > 0 then
    redis.call('HDEL', profiles, unpack(over))
    redis.call('ZREM', keptUntil, unpack(over))
  end
end
return {count, seq, full}
`);

/**
 * ARGV: writer, lease, node id, former writers. Returns the live writer that holds the node id, or a list of
 * the log's id.
 */
const join = script(`
local writer, lease, node = ARGV[3], ARGV[4], ARGV[5]
local holder = redis.call('HGET', nodes, 'i:' .. node)
for i = 6, #ARGV do
  if ARGV[i] == holder then holder = nil end
end
if holder and alive(holder) then return holder end
for i = 6, #ARGV do
  if alive(ARGV[i]) then bury(ARGV[i]) end
end
local id = redis.call('HGET', nodes, 'id') or writer
local fields = {'s:' .. writer, 0, 'l:' .. writer, lease, 'n:' .. writer, node, 'i:' .. node, writer, 'id', id}
add('join', lease .. ' ' .. writer .. ' ' .. node, fields)
return {id}
`);

/** ARGV: writer, the seq that it must have, or -1 if it must not be in the register. */
const evict = script(`
local seq = redis.call('HGET', nodes, 's:' .. ARGV[3]) or '-1'
if seq ~= ARGV[4] then return 0 end
bury(ARGV[3])
return 1
`);

/** ARGV: writer. */
const forget = script(`
local writer = ARGV[3]
if redis.call('HGET', nodes, 's:' .. writer) ~= 'x' then return 0 end
local node = redis.call('HGET', nodes, 'n:' .. writer)
if node and redis.call('HGET', nodes, 'i:' .. node) == writer then redis.call('HDEL', nodes, 'i:' .. node) end
return redis.call('HDEL', nodes, 's:' .. writer, 'l:' .. writer, 'n:' .. writer)
`);

/** ARGV: the id of an entry. */
const status = script(`
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)
local held = redis.call('XRANGE', log, ARGV[3], ARGV[3])
return {count, last[1] and last[1][1] or '0-0', held[1] and held[1][2] or false, redis.call('HGETALL', nodes)}
`);

/** Redis runs each script in one step, so nothing changes between what it checks and what it writes. */
export const SCRIPTS = { append, join, evict, forget, status };
