/** What happens at the broker, for logs and metrics. Nothing waits for a listener. */
export type BrokerEvent =
  | {
      readonly type: "exchange-declared" | "exchange-deleted";
      readonly exchange: string;
      readonly by: string;
    }
  | {
      readonly type: "queue-declared" | "queue-deleted" | "queue-paused" | "queue-resumed";
      readonly queue: string;
      readonly by: string;
    }
  | {
      readonly type: "queue-purged" | "messages-released";
      readonly queue: string;
      readonly messages: number;
      readonly by: string;
    }
  | {
      readonly type: "message-deleted" | "message-released";
      readonly queue: string;
      readonly position: string;
      readonly by: string;
    }
  | {
      readonly type: "queue-redriven";
      readonly queue: string;
      readonly mode: "move" | "copy";
      readonly messages: number;
      readonly by: string;
    }
  | {
      readonly type: "queue-bound" | "queue-unbound";
      readonly queue: string;
      readonly exchange: string;
      readonly routingKey: string;
      readonly by: string;
    }
  | {
      readonly type: "exchange-bound" | "exchange-unbound";
      readonly source: string;
      readonly destination: string;
      readonly routingKey: string;
      readonly by: string;
    }
  | { readonly type: "policy-set" | "policy-deleted"; readonly policy: string; readonly by: string }
  | {
      readonly type: "consumer-started";
      readonly queue: string;
      readonly consumerTag: string;
      readonly by: string;
    }
  | { readonly type: "publishers-blocked"; readonly code: string; readonly message: string }
  | { readonly type: "publishers-unblocked" }
  | { readonly type: "login-failed"; readonly user: string; readonly address: string };

export type BrokerEventListener = (event: BrokerEvent) => void;
