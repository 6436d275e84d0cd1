/** Units that Prometheus has a base unit for, and abbreviations of them. */
const OTHER_UNITS =
  /_(?:ms|us|ns|milliseconds|microseconds|nanoseconds|minutes|hours|days|bits|kb|mb|kib|mib|kilobytes|megabytes|percent)(?:_|$)/;

/** What is wrong with a text in Prometheus's format, by the rules of `promtool check metrics`. */
export function metricProblems(text: string): string[] {
  const helps = new Map([...text.matchAll(/^# HELP (\S+) ?(.*)$/gm)].map(([, name, help]) => [name, help]));
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => ({ name: name!, type }));
  const problems = types.flatMap(({ name, type }) => {
    const isNamedCounter = name.endsWith("_total");
    return [
      !helps.get(name) && `${name} has no help text`,
      type === "counter" && !isNamedCounter && `${name} is a counter, and does not end in _total`,
      type !== "counter" && isNamedCounter && `${name} ends in _total, and is a ${type}`,
      /_(?:count|sum|bucket)$/.test(name) && `${name} ends as a part of a histogram does`,
      !/^[a-z][a-z\d]*(?:_[a-z\d]+)*$/.test(name) && `${name} is not in small letters with _ between words`,
      OTHER_UNITS.test(name) && `${name} is not in a base unit`,
    ].filter((problem) => problem !== false);
  });
  return types.length === 0 ? ["there are no metrics"] : problems;
}
