/** An empty object for values by user id. It inherits nothing, so a user may be called `__proto__`. */
export function byUserId<Value>(): Record<string, Value> {
  return Object.create(null) as Record<string, Value>;
}
