// Yields an event when an HTTP address goes down or comes up again. The cursor is the last state.
export async function* poll(ctx) {
  const previous = ctx.cursor ?? "up"; // so that the first poll speaks only of what is down
  const probe = await request(ctx.config);
  if (probe.state === previous) return;
  yield { url: ctx.config.url, previous, ...probe };
  ctx.cursor = probe.state;
}

async function request({ url, headers, expected_status = 200, timeout_ms = 5000 }) {
  const started = performance.now();
  const latency = () => Math.round(performance.now() - started);
  try {
    const { status, body } = await fetch(url, { headers, redirect: "manual", signal: AbortSignal.timeout(timeout_ms) });
    const state = status === expected_status ? "up" : "down";
    await body?.cancel();
    return { state, status, latency_ms: latency() };
  } catch (error) {
    return { state: "down", status: null, latency_ms: latency(), error: error.cause?.code ?? error.message };
  }
}
