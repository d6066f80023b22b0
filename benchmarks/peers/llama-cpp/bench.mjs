// Measures llama.cpp as node-llama-cpp ships it, by the protocol of `portable bench`: a prompt of random tokens, then
// tokens decoded one by one; a short warm-up is not counted.
//   npm ci && node bench.mjs MODEL.gguf [--prompt 512] [--generate 64] [--threads 2] [--repeat 3]
import { getLlama } from "node-llama-cpp";

const model = process.argv[2];
const option = (name, fallback) => {
  const at = process.argv.indexOf("--" + name);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
};
const prompt = option("prompt", 512), generate = option("generate", 64), threads = option("threads", 2), repeat = option("repeat", 3);

const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, logLevel: "error" });
const begin = performance.now();
const loaded = await llama.loadModel({ modelPath: model });
const load = (performance.now() - begin) / 1000;
const context = await loaded.createContext({ contextSize: prompt + generate + 64, batchSize: 512, threads: { ideal: threads, min: threads } });
const sequence = context.getSequence();

let state = 1;
const random = () => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) % 40000 + 100;
const run = async (promptTokens, outputTokens) => {
  await sequence.clearHistory();
  const tokens = Array.from({ length: promptTokens }, random);
  const start = performance.now();
  let first = 0, count = 0;
  // Without an end token the output always has the wanted length.
  for await (const _ of sequence.evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
    count++;
    if (first === 0)
      first = performance.now();
    if (count === outputTokens + 1)
      break;
  }
  const end = performance.now();
  return { prefill: promptTokens / ((first - start) / 1000), decode: outputTokens / ((end - first) / 1000) };
};

await run(32, 8);
const runs = [];
for (let i = 0; i < repeat; i++)
  runs.push(await run(prompt, generate));
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
console.log(JSON.stringify({
  engine: "llama.cpp (node-llama-cpp)", threads, prompt, generate, loadSeconds: load,
  prefill: median(runs.map((r) => r.prefill)), decode: median(runs.map((r) => r.decode)), runs,
}));
await llama.dispose();
