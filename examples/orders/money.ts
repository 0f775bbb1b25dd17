/**
 * Amounts are whole numbers of 1/10,000 of the currency (hence `E4` in names): a price has two decimals and a discount
 * two, so their product has four, and nothing is ever rounded. Sums are the same in whatever order they are made, which
 * they would not be with fractions. All of Northwind is 12,657,930,395; JavaScript counts exactly up to 9 × 10^15.
 */
export type AmountE4 = number;

/** `"14.00"` → 1400, `"0.15"` → 15. The fraction that binary numbers are off by is rounded away. */
function hundredths(decimal: string): number {
  return Math.round(Number(decimal) * 100);
}

/** What an order line brings in: price × quantity × (1 − discount). */
export function lineRevenueE4(unitPrice: string, quantity: string, discount: string): AmountE4 {
  return hundredths(unitPrice) * Number(quantity) * (100 - hundredths(discount));
}

/** 12657930395 → `1,265,793.0395` */
export function formatE4(amount: AmountE4): string {
  const whole = Math.floor(amount / 10_000).toLocaleString("en");
  return `${whole}.${String(amount % 10_000).padStart(4, "0")}`;
}
