import { readCsv } from "./csv.ts";
import { lineRevenueE4 } from "./money.ts";
import type { Totals } from "./tally.ts";

/** What the CSV files say: straight from their rows, without events, so that it can be held against the services. */
export function expectedTotals(): Totals {
  const orders = readCsv("orders", ["orderID", "requiredDate", "shippedDate", "shipCountry"], "shipAddress");
  const lines = readCsv("order-details", ["orderID", "unitPrice", "quantity", "discount"]);
  const shipped = orders.filter((order) => order.shippedDate !== "NULL");
  const countryOf = new Map(orders.map((order) => [order.orderID, order.shipCountry]));

  const revenueE4ByCountry: Totals["revenueE4ByCountry"] = {};
  for (const { orderID, unitPrice, quantity, discount } of lines) {
    const country = countryOf.get(orderID) ?? "?";
    revenueE4ByCountry[country] =
      (revenueE4ByCountry[country] ?? 0) + lineRevenueE4(unitPrice, quantity, discount);
  }
  return {
    orders: orders.length,
    lines: lines.length,
    revenueE4: Object.values(revenueE4ByCountry).reduce((sum, revenueE4) => sum + revenueE4, 0),
    shipped: shipped.length,
    late: shipped.filter((order) => order.shippedDate > order.requiredDate).length,
    revenueE4ByCountry,
  };
}
