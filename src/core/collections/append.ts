const FEW = 4;

/**
 * The list with one more at its end. A short one is made anew: one that grows by itself takes room for 17,
 * and where each of a million has a list, nearly all lists are of one or two.
 */
export function append<T extends object>(list: T[], item: T): T[] {
  if (list.length < FEW) return list.concat([item]);
  list.push(item);
  return list;
}
