/** What Prometheus reads at /metrics, in a registry of its own: requests, the queue, batches, and the process. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** What is read when it is asked for. */
export interface Gauges {
  requests(): number
  pieces(): number
}

export class Metrics {
  readonly registry = new Registry()
  private readonly requests = new Counter({
    name: 'bioalbert_requests_total',
    help: 'Requests answered, by route and status',
    labelNames: ['route', 'status'],
    registers: [this.registry],
  })
  private readonly seconds = new Histogram({
    name: 'bioalbert_request_seconds',
    help: 'From the head of a request to the end of its answer',
    labelNames: ['route'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: [this.registry],
  })
  private readonly disconnects = new Counter({
    name: 'bioalbert_disconnects_total',
    help: 'Clients that left before their answer',
    registers: [this.registry],
  })
  private readonly pieces = new Counter({
    name: 'bioalbert_pieces_total',
    help: 'Pieces of text that the device has worked on',
    registers: [this.registry],
  })
  private readonly busy = new Counter({
    name: 'bioalbert_batch_seconds_total',
    help: 'Seconds in which the device worked on a batch',
    registers: [this.registry],
  })
  private readonly batchPieces = new Histogram({
    name: 'bioalbert_batch_pieces',
    help: 'Pieces of a batch',
    buckets: [16, 32, 64, 128, 256, 512, 1024, 2048],
    registers: [this.registry],
  })
  private readonly batchRequests = new Histogram({
    name: 'bioalbert_batch_requests',
    help: 'Requests that have a part in a batch',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
    registers: [this.registry],
  })

  constructor(gauges: Gauges) {
    const registers = [this.registry]
    new Gauge({
      name: 'bioalbert_queue_requests',
      help: 'Requests that are not answered yet',
      registers,
      collect() {
        this.set(gauges.requests())
      },
    })
    new Gauge({
      name: 'bioalbert_queue_pieces',
      help: 'Pieces that are in no batch yet',
      registers,
      collect() {
        this.set(gauges.pieces())
      },
    })
    collectDefaultMetrics({ register: this.registry })
  }

  answered(route: string, status: number, seconds: number): void {
    this.requests.inc({ route, status })
    this.seconds.observe({ route }, seconds)
  }

  disconnected(): void {
    this.disconnects.inc()
  }

  batch({ requests, pieces, seconds }: { requests: number; pieces: number; seconds: number }): void {
    this.pieces.inc(pieces)
    this.busy.inc(seconds)
    this.batchPieces.observe(pieces)
    this.batchRequests.observe(requests)
  }
}
