/**
 * The page's script. It builds the page from nodes and never from markup, so that the content of a
 * response cannot inject anything.
 */
export const script = String.raw`const make = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

const spec = await (await fetch("/openapi.json")).json();
const deref = (value) => value.$ref === undefined ? value : value.$ref.slice(2).split("/").reduce((at, part) => at[part], spec);

/** Returns an example value of a schema. */
const example = (schema, depth = 0) => {
  const one = deref(schema);
  if (one.anyOf) return example(one.anyOf[0], depth);
  if (one.enum) return one.enum[one.enum.length > 1 ? 1 : 0];
  const type = Array.isArray(one.type) ? one.type[0] : one.type;
  if (depth > 4) return null;
  if (type === "object") return Object.fromEntries(Object.entries(one.properties ?? {}).map(([key, inner]) => [key, example(inner, depth + 1)]));
  if (type === "array") return [example(one.items ?? {}, depth + 1)];
  if (type === "integer" || type === "number") return 1;
  if (type === "boolean") return false;
  if (one.format === "int64" || one.format === "uint64") return "1";
  if (one.format === "date-time") return new Date().toISOString();
  return type === "string" ? "" : null;
};

const field = (parameter) => {
  const schema = deref(parameter.schema.items ?? parameter.schema);
  const name = parameter.in + ":" + parameter.name;
  const input = schema.enum
    ? make("select", { name }, make("option", { value: "" }), ...schema.enum.map((value) => make("option", { value, textContent: value })))
    : make("input", { name, required: parameter.required === true, autocomplete: "off" });
  const description = parameter.description ? [make("small", { textContent: parameter.description })] : [];
  return make("label", {}, make("span", { textContent: parameter.name + (parameter.in === "header" ? " (header)" : "") }), input, ...description);
};

let accessToken = "";

const requestOf = (method, path, form, parameters) => {
  let url = path;
  const query = new URLSearchParams();
  const headers = {};
  for (const { name, in: place, schema } of parameters) {
    const value = form.elements[place + ":" + name].value;
    // A slash in a path value is sent as %2F, which every template accepts.
    if (place === "path") url = url.replace("{" + name + "}", encodeURIComponent(value));
    else if (value !== "" && place === "header") headers[name] = value;
    else if (value !== "") for (const one of schema.type === "array" ? value.split(",") : [value]) query.append(name, one);
  }
  const token = form.elements.token;
  // Kept in this page only, for its other forms.
  if (token) accessToken = token.value || accessToken;
  if (token && accessToken !== "") headers["Authorization"] = "Bearer " + accessToken;
  const body = form.elements.body?.value;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return [url + (query.size > 0 ? "?" + query : ""), { method, headers, body }];
};

const pretty = (text) => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
};

const show = async (response, output, shown) => {
  const type = response.headers.get("content-type") ?? "";
  output.append(make("p", { textContent: response.status + " " + response.statusText + (type === "" ? "" : ", " + type) }));
  if (type.startsWith("image/")) {
    const image = make("img", { alt: "Response", src: URL.createObjectURL(await response.blob()) });
    image.onload = () => URL.revokeObjectURL(image.src);
    return output.append(image);
  }
  const text = make("pre");
  output.append(text);
  if (!type.startsWith("text/event-stream")) return (text.textContent = pretty(await response.text()));
  const decoder = new TextDecoder();
  // Not "for await": some browsers cannot iterate over a body.
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    // Keeps the last part of a long stream, so that the page stays small.
    text.textContent = (text.textContent + decoder.decode(part.value, { stream: true })).slice(-200000);
    text.scrollTop = text.scrollHeight;
  }
  shown("The stream has ended.");
};

const operationNode = (method, path, operation) => {
  const parameters = operation.parameters.map(deref);
  const output = make("output");
  const stop = make("button", { type: "button", textContent: "Stop", hidden: true });
  const form = make("form", {}, ...parameters.map(field));
  if (operation.security?.length > 0) {
    const token = make("input", { name: "token", type: "password", autocomplete: "off" });
    form.append(make("label", {}, make("span", { textContent: "Access token" }), token, make("small", { textContent: "Once for all forms, until the page is loaded again." })));
  }
  const schema = operation.requestBody?.content["application/json"]?.schema;
  if (schema) {
    const body = make("textarea", { name: "body", spellcheck: false, value: JSON.stringify(example(schema), null, 2) });
    form.append(make("label", {}, make("span", { textContent: "Body" }), body));
  }
  form.append(make("button", { textContent: "Send" }), stop, output);
  form.onsubmit = async (event) => {
    event.preventDefault();
    output.replaceChildren();
    const abort = new AbortController();
    const say = (text) => output.append(make("p", { textContent: text }));
    stop.onclick = () => abort.abort();
    stop.hidden = false;
    try {
      const [url, init] = requestOf(method.toUpperCase(), path, form, parameters);
      say(init.method + " " + url);
      await show(await fetch(url, { ...init, signal: abort.signal }), output, say);
    } catch (error) {
      say(abort.signal.aborted ? "Stopped." : String(error));
    } finally {
      stop.hidden = true;
    }
  };
  const head = make("summary", {}, make("span", { className: "method", textContent: method.toUpperCase() }), make("code", { textContent: path }), make("span", { textContent: operation.summary ?? "" }));
  return make("details", { id: operation.operationId }, head, make("p", { className: "description", textContent: operation.description ?? "" }), form);
};

document.title = spec.info.title;
document.querySelector("h1").textContent = spec.info.title + " " + spec.info.version;
document.querySelector("#about").replaceChildren(spec.info.description + " ", make("a", { href: "/openapi.json", textContent: "/openapi.json" }));
for (const tag of spec.tags) {
  const operations = Object.entries(spec.paths).flatMap(([path, methods]) =>
    Object.entries(methods).filter(([, operation]) => operation.tags.includes(tag.name)).map(([method, operation]) => operationNode(method, path, operation)));
  document.querySelector("#operations").append(make("section", {}, make("h2", { textContent: tag.name }), make("p", { textContent: tag.description ?? "" }), ...operations));
}
`;
