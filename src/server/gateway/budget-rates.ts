/** The allowed rates. A burst is what may be sent at once after a quiet time. */
export interface BudgetRates {
  readonly messagesPerSecond: number;
  readonly burstMessages: number;
  /** A multiple of 8, so that every millisecond brings a whole number of units. */
  readonly bytesPerSecond: number;
  readonly burstBytes: number;
}
