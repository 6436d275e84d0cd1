import { createHash } from "node:crypto";

/** Part of every key: data of another layout is never touched. */
const FORMAT = 1;

/** The keys of one log. No text from outside is part of a key, so none can be made to collide; the tag keeps them together. */
export interface LogKeys {
  /** A stream of entries. */
  readonly log: string;
  /** A hash: by session, `<owner> <row>`. */
  readonly rows: string;
  /** A hash: `count` of the entries; by writer, `s:` the number of its last batch or `x` once it is buried, `l:` its lease, `n:` its node
   * id; and by node id, `i:` the writer. */
  readonly nodes: string;
}

export function keysOf(shard: number): LogKeys {
  const tag = `presence:${FORMAT}:{${shard}}`;
  return { log: `${tag}:log`, rows: `${tag}:rows`, nodes: `${tag}:nodes` };
}

export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** KEYS and first arguments are the same for all: the keys in the order above, then how many entries to keep. */
function script(body: string): Script {
  const text = `${PRELUDE}${body}`;
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

const PRELUDE = `
local log, rows, nodes, kept = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local count = tonumber(redis.call('HGET', nodes, 'count') or 0)
local lives = {}
local function alive(writer)
  if lives[writer] == nil then
    local seq = redis.call('HGET', nodes, 's:' .. writer)
    lives[writer] = seq and seq ~= 'x'
  end
  return lives[writer]
end
local function add(kind, text, ...)
  redis.call('XADD', log, 'MAXLEN', '~', kept, '*', kind, count .. ' ' .. text, ...)
end
local function bury(writer)
  count = count + 1
  redis.call('HSET', nodes, 'count', count, 's:' .. writer, 'x')
  add('bury', writer)
end
`;

/** ARGV: writer, seq, then for each op its kind, session and text. */
const append = script(`
local writer, seq = ARGV[2], tonumber(ARGV[3])
local last = tonumber(redis.call('HGET', nodes, 's:' .. writer) or nil)
if not last then return {count, -1} end
if last + 1 ~= seq then return {count, last} end
local ids = {}
for i = 5, #ARGV, 3 do ids[#ids + 1] = ARGV[i] end
local found = #ids > 0 and redis.call('HMGET', rows, unpack(ids)) or {}
local facts, sets, dels = {}, {}, {}
for i, id in ipairs(ids) do
  local kind, text = ARGV[3 * i + 1], ARGV[3 * i + 3]
  local owner = found[i] and string.match(found[i], '^%S+')
  local free = not owner or owner == writer or not alive(owner)
  if kind == 'claim' or kind == 'kick' or (free and (owner or kind ~= 'patch')) then
    facts[#facts + 1] = id
    facts[#facts + 1] = text
    if kind == 'end' or kind == 'kick' then
      dels[#dels + 1] = id
    else
      sets[#sets + 1] = id
      sets[#sets + 1] = writer .. ' ' .. text
    end
  end
end
if #sets > 0 then redis.call('HSET', rows, unpack(sets)) end
if #dels > 0 then redis.call('HDEL', rows, unpack(dels)) end
count = count + 1
redis.call('HSET', nodes, 'count', count, 's:' .. writer, seq)
add('batch', seq .. ' ' .. writer, unpack(facts))
return {count, seq}
`);

/** ARGV: writer, lease, node id, former writers. Returns the writer that holds the node id, or nothing. */
const join = script(`
local writer, lease, node = ARGV[2], ARGV[3], ARGV[4]
local holder = redis.call('HGET', nodes, 'i:' .. node)
for i = 5, #ARGV do
  if ARGV[i] == holder then holder = nil end
end
if holder and alive(holder) then return holder end
for i = 5, #ARGV do
  if alive(ARGV[i]) then bury(ARGV[i]) end
end
count = count + 1
redis.call('HSET', nodes, 'count', count, 's:' .. writer, 0, 'l:' .. writer, lease, 'n:' .. writer, node, 'i:' .. node, writer)
add('join', lease .. ' ' .. writer .. ' ' .. node)
return ''
`);

/** ARGV: writer, the seq that it must have, -1 if it must not be in the register. */
const bury = script(`
local seq = redis.call('HGET', nodes, 's:' .. ARGV[2]) or '-1'
if seq ~= ARGV[3] then return 0 end
bury(ARGV[2])
return 1
`);

/** ARGV: writer. */
const forget = script(`
local writer = ARGV[2]
if redis.call('HGET', nodes, 's:' .. writer) ~= 'x' then return 0 end
local node = redis.call('HGET', nodes, 'n:' .. writer)
if node and redis.call('HGET', nodes, 'i:' .. node) == writer then redis.call('HDEL', nodes, 'i:' .. node) end
return redis.call('HDEL', nodes, 's:' .. writer, 'l:' .. writer, 'n:' .. writer)
`);

/** ARGV: the id of an entry. */
const look = script(`
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)
local held = redis.call('XRANGE', log, ARGV[2], ARGV[2])
return {count, last[1] and last[1][1] or '0-0', #held, redis.call('HGETALL', nodes)}
`);

/** Each does its work in one step, so that what it decides on cannot change meanwhile. */
export const SCRIPTS = { append, join, bury, forget, look };
