const FEW = 4;

/**
 * Returns the list with `item` at its end. A short list is copied: an array that grows in place reserves room
 * for 17 elements, and nearly all of a million lists hold one or two.
 */
export function append<T extends object>(list: T[], item: T): T[] {
  if (list.length < FEW) return list.concat([item]);
  list.push(item);
  return list;
}
