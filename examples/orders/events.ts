import { readCsv } from "./csv.ts";
import { type AmountE4, lineRevenueE4 } from "./money.ts";

interface Common {
  /** The same whenever the event is made, so that a consumer can tell a repetition: `10248/line/11`. */
  readonly id: string;
  readonly orderId: number;
  /** `1996-07-04` */
  readonly date: string;
  readonly country: string;
}

export interface PlacedEvent extends Common {
  readonly kind: "placed";
  readonly customerId: string;
  readonly requiredDate: string;
}

export interface LineEvent extends Common {
  readonly kind: "line";
  readonly product: string;
  readonly quantity: number;
  /** After discount. */
  readonly revenueE4: AmountE4;
}

export interface ShippedEvent extends Common {
  readonly kind: "shipped";
}

/** It was shipped after the date that the customer required. */
export interface LateEvent extends Common {
  readonly kind: "late";
  readonly requiredDate: string;
}

export type OrderEvent = PlacedEvent | LineEvent | ShippedEvent | LateEvent;

/** `order.<country>.<kind>`. Dots part the words of a routing key, so a country must be one word: `new-zealand`. */
export function routingKeyOf(event: OrderEvent): string {
  return `order.${event.country.toLowerCase().replaceAll(/[\s.]+/g, "-")}.${event.kind}`;
}

/** What happens to an order on one day, in this order. */
const kindOrder: Record<OrderEvent["kind"], number> = { placed: 0, line: 1, shipped: 2, late: 3 };

/** Every event of the 830 orders, by date; within a day by order, and then as things happen. */
export function orderEvents(): OrderEvent[] {
  const events: OrderEvent[] = [];
  const orders = new Map<string, { orderId: number; date: string; country: string }>();

  const orderColumns = [
    "orderID",
    "customerID",
    "orderDate",
    "requiredDate",
    "shippedDate",
    "shipCountry",
  ] as const;
  for (const row of readCsv("orders", orderColumns, "shipAddress")) {
    const orderId = Number(row.orderID);
    const country = row.shipCountry;
    const date = day(row.orderDate);
    const requiredDate = day(row.requiredDate);
    orders.set(row.orderID, { orderId, date, country });
    events.push({
      kind: "placed",
      id: `${orderId}/placed`,
      orderId,
      date,
      country,
      customerId: row.customerID,
      requiredDate,
    });
    if (row.shippedDate === "NULL") continue;
    const shippedDate = day(row.shippedDate);
    events.push({ kind: "shipped", id: `${orderId}/shipped`, orderId, date: shippedDate, country });
    if (shippedDate <= requiredDate) continue;
    events.push({ kind: "late", id: `${orderId}/late`, orderId, date: shippedDate, country, requiredDate });
  }

  const products = new Map<string, string>();
  for (const row of readCsv("products", ["productID", "productName"]))
    products.set(row.productID, row.productName);

  const lineColumns = ["orderID", "productID", "unitPrice", "quantity", "discount"] as const;
  for (const row of readCsv("order-details", lineColumns)) {
    const order = orders.get(row.orderID);
    const product = products.get(row.productID);
    if (!order || !product) throw new Error(`order ${row.orderID} or product ${row.productID} is missing`);
    events.push({
      kind: "line",
      id: `${row.orderID}/line/${row.productID}`,
      ...order,
      product,
      quantity: Number(row.quantity),
      revenueE4: lineRevenueE4(row.unitPrice, row.quantity, row.discount),
    });
  }
  return events.sort(byTime);
}

/** What is equal here, the lines of an order, stays in the order of the file. */
function byTime(a: OrderEvent, b: OrderEvent): number {
  if (a.date !== b.date) return a.date < b.date ? -1 : 1;
  return a.orderId - b.orderId || kindOrder[a.kind] - kindOrder[b.kind];
}

/** `1996-07-04 00:00:00.000` → `1996-07-04`. Written like this, days compare as texts do. */
function day(timestamp: string): string {
  return timestamp.slice(0, 10);
}
