// A chat as an HTTP request, and as code that sends the same: curl, LangChain and LlamaIndex.

/** Parameters of a chat: field in the page, name on the wire in v3 and v1, name in the adapters. */
export const PARAMETERS = [
  { id: "temperature", v3: "temperature", v1: "temperature", python: "temperature", type: "number", min: 0, max: 1, step: 0.01 },
  { id: "topP", v3: "topP", v1: "topP", python: "top_p", type: "number", min: 0, max: 1, step: 0.01 },
  { id: "topK", v3: "topK", v1: "topK", python: "top_k", type: "number", min: 0, max: 128, step: 1 },
  { id: "maxTokens", v3: "maxTokens", v1: "maxTokens", python: "max_tokens", type: "number", min: 1, step: 1 },
  { id: "repetition", v3: "repetitionPenalty", v1: "repeatPenalty", python: "repetition_penalty", type: "number", min: 0, max: 10, step: 0.1 },
  { id: "seed", v3: "seed", v1: "seed", python: "seed", type: "number", min: 0, max: 4294967295, step: 1 },
  { id: "stop", v3: "stop", v1: "stopBefore", python: "stop", type: "text" },
];

/** A chat as a request: path and JSON body. */
export function asRequest(chat) {
  const version = chat.model.version === 1 ? "v1" : "v3";
  const body = { messages: chat.messages.map(({ role, content }) => ({ role, content })) };
  for (const parameter of PARAMETERS) {
    const value = chat.values[parameter.id];
    if (value === undefined) continue;
    const name = parameter.id === "maxTokens" && chat.model.thinking ? "maxCompletionTokens" : parameter[version];
    body[name] = value;
  }
  if (chat.effort) body.thinking = { effort: chat.effort };
  return { path: `/${version}/chat-completions/${chat.model.name}`, body };
}

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// JSON writes texts, numbers and lists as Python does.
const python = (value) => JSON.stringify(value);

function settings(chat, address, key) {
  const lines = [["model", chat.model.name], ["base_url", address], ["api_key", key]];
  for (const parameter of PARAMETERS) {
    const value = chat.values[parameter.id];
    if (value !== undefined) lines.push([parameter.python, value]);
  }
  if (chat.effort) lines.push(["thinking", chat.effort]);
  return lines.map(([name, value]) => `    ${name}=${python(value)},`).join("\n");
}

export function curl(chat, address, key) {
  const { path, body } = asRequest(chat);
  const lines = [
    `curl ${chat.stream ? "-N" : "-s"} ${shell(address + path)}`,
    `-H ${shell(`Authorization: Bearer ${key}`)}`,
    "-H 'Content-Type: application/json'",
    ...(chat.stream ? ["-H 'Accept: text/event-stream'"] : []),
    `-d ${shell(JSON.stringify(body, null, 2))}`,
  ];
  return lines.join(" \\\n  ");
}

export function langchain(chat, address, key) {
  const roles = { user: "human", assistant: "ai", system: "system" };
  const messages = chat.messages.map(({ role, content }) => `    (${python(roles[role])}, ${python(content)}),`).join("\n");
  const run = chat.stream
    ? 'for chunk in chat.stream(messages):\n    print(chunk.text, end="", flush=True)\n'
    : "print(chat.invoke(messages).text)\n";
  return `from langchain_clova import ChatClovaX

chat = ChatClovaX(
${settings(chat, address, key)}
)
messages = [
${messages}
]
${run}`;
}

export function llamaIndex(chat, address, key) {
  const messages = chat.messages
    .map(({ role, content }) => `    ChatMessage(role=${python(role)}, content=${python(content)}),`)
    .join("\n");
  const run = chat.stream
    ? 'for part in llm.stream_chat(messages):\n    print(part.delta, end="", flush=True)\n'
    : "print(llm.chat(messages).message.content)\n";
  return `from llama_index.core.llms import ChatMessage
from llama_index_clova import ClovaX

llm = ClovaX(
${settings(chat, address, key)}
)
messages = [
${messages}
]
${run}`;
}

export const LANGUAGES = { curl, LangChain: langchain, LlamaIndex: llamaIndex };
