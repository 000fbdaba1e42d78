"use strict";
/* The page of a graph. What is drawn comes from the JSON in the page; every text of the user's
   program enters as textContent or an attribute's value, only formulas, which the writer has
   escaped, as markup. */

const D = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);

/* ---- small things */

const SVG = new Set(["svg", "g", "path", "rect", "line", "text", "title", "circle", "polyline"]);
function make(tag, attributes, ...children) {
  const node = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const name in attributes) {
    const value = attributes[name];
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  for (const child of children) if (child !== null && child !== undefined) node.append(child);
  return node;
}
function number(v, digits = 5) {
  if (v === null || v === undefined) return "unknown";
  if (typeof v !== "number") return String(v).replace(/-/g, "−");
  if (v === 0) return "0";
  const size = Math.abs(v);
  const text = size >= 1e6 || size < 1e-4 ? v.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e") : String(+v.toPrecision(digits));
  return text.replace(/-/g, "−");
}
const clamp = (v, low, high) => Math.min(Math.max(v, low), high);
const count = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
const cut = (text, n) => text.length > n ? text.slice(0, n - 1) + "…" : text;
const math = index => { const box = make("div"); box.innerHTML = D.maths[index]; return box; };

/* ---- the graph that is shown: D.graphs has one, or several of a training run */

/* without views: a graph of nodes that the first one has */
for (const graph of D.graphs) if (typeof graph.nodes[0] === "number") graph.nodes = graph.nodes.map(id => D.graphs[0].nodes[id]);

const KINDS = { parameter: "parameter", leaf: "leaf, its gradient is wanted", input: "constant, no gradient goes here", op: "operator", root: "the result, where the backward pass begins" };
let G = null, into = [], out = [], home = [], open = new Set(), chosen = null, which = -1;

function load(index) {
  if (which === index) return;
  which = index; G = D.graphs[index];
  into = G.nodes.map(() => []); out = G.nodes.map(() => []); home = new Array(G.nodes.length).fill(0);
  for (const edge of G.edges) { into[edge[1]].push(edge); out[edge[0]].push(edge); }
  G.groups.forEach((group, id) => { for (const [kind, n] of group.items) if (kind === "n") home[n] = id; });
  open = G.wasOpen || new Set(G.open);
  G.wasOpen = open;
  if (chosen !== null && chosen >= G.nodes.length) chosen = null;
}
const title = node => node.n || (node.src && node.src[5]) || node.s || node.k;
const parents = id => { const found = []; for (let g = home[id]; g >= 0; g = G.groups[g].p) found.push(g); return found; };
/* what stands for a node as things are folded: "n12", or "g3" for the outermost closed group */
function shown(id) { const shut = parents(id).reverse().find(g => !open.has(g)); return shut === undefined ? "n" + id : "g" + shut; }

/* ---- places: each group's layout is fixed, and stretched where a group inside it is open */

const PAD = 18, HEAD = 34;

/* A map of one coordinate that gives every [low, high, more] that much more room. */
function stretch(wants) {
  const given = [];
  const gain = (v, [low, high, more]) => more * clamp((v - low) / (high - low), 0, 1);
  const map = v => given.reduce((sum, part) => sum + gain(v, part), v);
  for (const [low, high, more] of wants.sort((a, b) => b[2] - a[2])) {
    const lack = more - (map(high) - map(low) - (high - low));
    if (lack > 0.5) given.push([low, high, lack]);
  }
  return map;
}

function place(id) {
  const group = G.groups[id], shape = D.shapes[group.shape], inner = new Map(), wide = [], high = [];
  group.items.forEach(([kind, n], k) => {
    if (kind !== "g" || !open.has(n)) return;
    const box = place(n), [x, y, w, h] = shape.boxes.slice(4 * k, 4 * k + 4);
    inner.set(k, box);
    wide.push([x, x + w, box.w - w]); high.push([y, y + h, box.h - h]);
  });
  const fx = stretch(wide.filter(p => p[2] > 0)), fy = stretch(high.filter(p => p[2] > 0));
  const boxes = group.items.map((item, k) => {
    const [x, y, w, h] = shape.boxes.slice(4 * k, 4 * k + 4), box = inner.get(k);
    const W = box ? box.w : w, H = box ? box.h : h;
    return { x: fx(x + w / 2) - W / 2, y: fy(y + h / 2) - H / 2, w: W, h: H, cx: x + w / 2, inner: box };
  });
  const head = id === 0 ? 0 : HEAD, pad = id === 0 ? 0 : PAD;
  const least = id === 0 ? 0 : (group.t.length * 13 + group.n.length * 10.5) * 0.602 + 70;
  const w = Math.max(fx(shape.w) + 2 * pad, least);
  return { id, group, shape, boxes, fx, fy, w, h: fy(shape.h) + head + 2 * pad, dx: (w - fx(shape.w)) / 2, dy: head + pad };
}

/* A route is kept as the ends of its pieces; each leaves and arrives upright. Their Bézier points: */
function bent(ends) {
  const points = [[ends[0], ends[1]]];
  for (let i = 2; i < ends.length; i += 2) {
    const [x0, y0, x1, y1] = ends.slice(i - 2, i + 2), middle = (y0 + y1) / 2;
    points.push([x0, middle], [x1, middle], [x1, y1]);
  }
  return points;
}

/* an edge's points, moved with the boxes at its ends */
function route(at, k) {
  const raw = bent(at.shape.routes[k][0]), points = raw.map(([x, y]) => [at.fx(x), at.fy(y)]), [a, b] = at.group.lines[k];
  const to = at.boxes[b], end = raw[raw.length - 1][0], room = to.w / 2 - 10;
  const port = at.fx(to.cx) + clamp(to.inner ? at.fx(end) - at.fx(to.cx) : end - to.cx, -room, room);
  for (let i = points.length - 1; i >= 0 && raw[i][0] === end; i--) points[i][0] = port;
  const line = (from, y) => [[from[0], from[1] + (y - from[1]) / 3], [from[0], y - (y - from[1]) / 3], [from[0], y]];
  const tail = points[points.length - 1];
  if (to.y > tail[1] + 0.3) points.push(...line(tail, to.y));
  const from = at.boxes[a], bottom = from.y + from.h;
  if (!at.shape.routes[k][1] && bottom < points[0][1] - 0.3) {
    const start = [points[0][0], bottom];
    points.unshift(start, ...line(start, points[0][1]).slice(0, 2));
  }
  return points;
}

/* ---- drawing */

const APART = 4.5, ARROW = 8;
const r = v => Math.round(v * 10) / 10;
function curve(points) {
  let d = `M${r(points[0][0])} ${r(points[0][1])}`;
  for (let i = 1; i < points.length; i += 3) {
    const part = points.slice(i, i + 3), x = r(points[i - 1][0]);
    d += part.every(p => r(p[0]) === x) ? `V${r(part[2][1])}` : "C" + part.map(p => `${r(p[0])} ${r(p[1])}`).join(" ");
  }
  return d;
}
const arrow = (kind, x, y, up) => make("path", { class: kind, d: `M${r(x)} ${r(y)}l-3.6 ${up ? ARROW : -ARROW}h7.2z` });

function drawLine(at, k) {
  const points = route(at, k), edges = at.group.edges[k], branch = at.shape.routes[k][1];
  const both = edges.some(e => G.edges[e][3]), shift = both ? APART : 0, n = points.length;
  const moved = (dx, first, last) => points.map(([x, y], i) => [x + dx, y + (i === 0 ? first : i === n - 1 ? last : 0)]);
  const group = make("g", { class: "lg-edge", "data-line": `${at.id} ${k}` });
  const [e] = edges, [src, dst] = [G.nodes[G.edges[e][0]], G.nodes[G.edges[e][1]]];
  const more = edges.length > 1 ? `\n${edges.length} edges` : G.edges[e][4] ? `\nlocal derivative: ${G.edges[e][4]}` : "";
  group.append(make("title", {}, `${title(src)} → ${title(dst)}${more}`));
  group.append(make("path", { class: "lg-forward", d: curve(moved(-shift, 0, 2 - ARROW)) }), arrow("lg-head", points[n - 1][0] - shift, points[n - 1][1]));
  if (both) {
    group.append(make("path", { class: "lg-backward", d: curve(moved(shift, branch ? 0 : ARROW - 2, 0)) }));
    if (!branch) group.append(arrow("lg-backhead", points[0][0] + shift, points[0][1], true));
  }
  const factor = group.factor = at.group.factors && at.group.factors[k], label = at.shape.routes[k];
  if (factor && label.length > 2) {
    const y = label[3], x = label[2] - 4;
    group.append(make("text", { class: "lg-factor", x: r(at.fx(x) + 4 + APART + 6), y: r(at.fy(y + 8) + 4) }, factor));
  }
  lines.push({ element: group, edges, a: at.group.items[at.group.lines[k][0]], b: at.group.items[at.group.lines[k][1]] });
  return group;
}

const leaf = (kind, x, y, w, h, s) => make("path", { class: kind, d: `M${r(x)} ${r(y)}H${r(x + w - s)}a${s} ${s} 0 0 1 ${s} ${s}V${r(y + h)}H${r(x + s)}a${s} ${s} 0 0 1-${s}-${s}z` });
function drawNode(id, box) {
  const node = G.nodes[id], group = make("g", { class: `lg-node lg-${node.k}`, "data-node": id, tabindex: -1, role: "button", "aria-label": spoken(node), transform: `translate(${r(box.x)} ${r(box.y)})` });
  let x = 0, y = 0, { w, h } = box;
  group.append(make("title", {}, spoken(node)));
  if (node.o) {
    if (node.k === "root") { group.append(make("rect", { class: "lg-ring", width: w, height: h, rx: 11 })); x = y = 4; w -= 8; h -= 8; }
    group.append(make("rect", { class: "lg-card", x, y, width: r(w), height: r(h), rx: 8 }));
    const c = node.c || 32;
    group.append(make("path", { class: "lg-cell", d: `M${x + c} ${y + 0.7}V${r(y + h - 0.7)}H${x + 8}a7.3 7.3 0 0 1-7.3-7.3V${y + 8}a7.3 7.3 0 0 1 7.3-7.3z` }));
    group.append(make("text", { class: "lg-symbol", x: x + c / 2, y: y + h / 2 + 5 }, node.s || "•"));
  } else if (node.k === "input") group.append(make("rect", { class: "lg-card", width: w, height: h }));
  else {
    const s = Math.min(h * 0.5, 22);
    group.append(leaf("lg-card", 0, 0, w, h, s));
    if (node.k === "parameter") group.append(leaf("lg-inner", 3.5, 3.5, w - 7, h - 7, s - 3));
  }
  node.l.forEach(([kind, text], i) => group.append(make("text", { class: `lg-${kind}`, x: x + (node.o ? node.c || 32 : 0) + 12, y: y + 19 + 16 * i }, text)));
  const hot = heat("n" + id);
  if (hot !== null) group.prepend(make("rect", { class: "hot", x: -9, y: h * (1 - hot), width: 7, height: Math.max(h * hot, 1) }));
  if (marked && marked.has(id)) { group.classList.add("changed"); group.append(make("text", { class: "badge", x: w + 4, y: 12 }, "new")); }
  register("n" + id, group, box);
  return group;
}
const spoken = node => [title(node), KINDS[node.k] || node.k, node.o, node.t].filter(Boolean).join(", ");

function drawGroup(id, box) {
  const group = G.groups[id], isOpen = Boolean(box.inner), { w, h } = box;
  const element = make("g", { class: `group ${isOpen ? "opened" : "shut"}`, "data-group": id, tabindex: -1, role: "button", "aria-expanded": isOpen, "aria-label": `${group.t}, ${group.n}`, transform: `translate(${r(box.x)} ${r(box.y)})` });
  element.append(make("title", {}, `${group.m || group.t}\n${group.n}\n${isOpen ? "Click the heading to fold" : "Click to unfold"}`));
  if (!isOpen) element.append(make("rect", { class: "behind", x: 5, y: 5, width: r(w), height: r(h), rx: 10 }));
  element.append(make("rect", { class: "rim", width: r(w), height: r(h), rx: 10 }));
  const hot = isOpen ? null : heat("g" + id);
  if (hot !== null) element.append(make("rect", { class: "hot", x: -9, y: h * (1 - hot), width: 7, height: Math.max(h * hot, 1) }));
  element.append(make("text", { class: "sign", x: 12, y: 22 }, isOpen ? "▾" : "▸"), make("text", { x: 28, y: 22 }, group.t));
  element.append(isOpen ? make("text", { class: "note", x: 28 + group.t.length * 8.2 + 12, y: 22 }, group.n) : make("text", { class: "note", x: 28, y: 39 }, group.n));
  register("g" + id, element, box);
  return element;
}

function drawPort(at, k, box) {
  const [kind, n] = at.group.items[k], text = at.group.ports[k];
  const element = make("g", { class: "port", "data-port": n, transform: `translate(${r(box.x)} ${r(box.y)})` });
  element.append(make("title", {}, `${kind === "i" ? "from outside" : "used outside"}: ${title(G.nodes[n])}`),
    make("rect", { width: r(box.w), height: r(box.h), rx: 9 }),
    make("text", { x: 9, y: 13 }, kind === "i" ? `↳ ${text}` : `${text} ↴`));
  return element;
}

let elements = new Map(), lines = [], bounds = { w: 1, h: 1 }, offset = { x: 0, y: 0 };
function register(key, element, box) { elements.set(key, { element, x: offset.x + box.x, y: offset.y + box.y, w: box.w, h: box.h }); }

function drawInside(at) {
  const layer = make("g", {});
  at.group.lines.forEach((_, k) => layer.append(drawLine(at, k)));
  at.boxes.forEach((box, k) => {
    const [kind, n] = at.group.items[k];
    if (kind === "n") layer.append(drawNode(n, box));
    else if (kind !== "g") layer.append(drawPort(at, k, box));
    else {
      const element = drawGroup(n, box);
      layer.append(element);
      if (box.inner) {
        const x = box.x + box.inner.dx, y = box.y + box.inner.dy, before = offset;
        offset = { x: before.x + x, y: before.y + y };
        const inside = drawInside(box.inner);
        offset = before;
        inside.setAttribute("transform", `translate(${r(x)} ${r(y)})`);
        layer.append(inside);
      }
    }
  });
  return layer;
}

function draw() {
  elements = new Map(); lines = []; offset = { x: 0, y: 0 };
  temperatures();
  const whole = place(0);
  bounds = whole;
  $("world").replaceChildren(drawInside(whole));
  order();
  mark();
  showStep();
}

/* ---- colour by a figure */

let heats = null, marked = null;
function norm(s) {
  if (!s) return null;
  if (s.values !== undefined) return Math.sqrt([s.values].flat(9).reduce((sum, v) => sum + (typeof v === "number" ? v * v : NaN), 0));
  if (s.mean === undefined) return null;
  return Math.sqrt((s.mean ** 2 + s.std ** 2) * (s.shape || []).reduce((a, b) => a * b, 1));
}
const bytes = node => (node.kept || []).reduce((sum, k) => sum + k[3], 0);
let figures = null; /* of the iteration that is shown: [gradient's norm, value's norm] per node */
function figure(node, id, by) {
  if (by === "kept") return bytes(node) || null;
  if (figures) return figures[by === "g" ? 0 : 1][id];
  return norm(node[by]);
}
/* over all iterations, so that the bars of one can be compared with those of another */
const everything = by => by === "kept" || !figures ? [] : I.flatMap(one => one[by]);
function temperatures() {
  const by = $("colour").value;
  heats = null;
  if (!by) { legend(); return; }
  const values = G.nodes.map((node, id) => figure(node, id, by)).map(v => typeof v === "string" ? Infinity : v), real = [...values, ...everything(by)].filter(v => v > 0 && Number.isFinite(v));
  const low = Math.log10(Math.min(...real)), high = Math.log10(Math.max(...real));
  const scale = v => v === null || v === undefined ? null : !(v > 0) ? 0 : !Number.isFinite(v) ? 1 : high - low < 1e-9 ? 0.6 : 0.1 + 0.9 * (Math.log10(v) - low) / (high - low);
  heats = values.map(scale);
  legend(real.length ? `bars: ${{ g: "norm of the gradient", v: "norm of the value", kept: "bytes kept" }[by]}, ${number(10 ** low, 3)} to ${number(10 ** high, 3)} (logarithmic)` : "nothing is known");
}
function heat(key) {
  if (!heats) return null;
  if (key[0] === "n") return heats[+key.slice(1)];
  const inside = heats.filter((v, id) => v !== null && parents(id).includes(+key.slice(1)));
  return inside.length ? Math.max(...inside) : null;
}

function legend(text) {
  const sample = (...parts) => { const svg = make("svg", { viewBox: "0 0 30 18", class: "lg" }); svg.append(...parts); return svg; };
  const kinds = new Set(G.nodes.map(n => n.k)), rows = [];
  const shape = { input: [make("rect", { class: "lg-card", x: 2, y: 2, width: 26, height: 14 })], leaf: [leaf("lg-card", 2, 2, 26, 14, 7)], parameter: [leaf("lg-card", 2, 2, 26, 14, 7), leaf("lg-inner", 5, 5, 20, 8, 4)], op: [make("rect", { class: "lg-card", x: 2, y: 2, width: 26, height: 14, rx: 4 }), make("rect", { class: "lg-cell", x: 3, y: 3, width: 8, height: 12, rx: 3 })], root: [make("rect", { class: "lg-ring", x: 0.7, y: 0.7, width: 28.6, height: 16.6, rx: 6 }), make("rect", { class: "lg-card", x: 3, y: 3, width: 24, height: 12, rx: 4 })] };
  for (const [kind, words] of [["input", "constant"], ["leaf", "leaf"], ["parameter", "parameter"], ["op", "operator"], ["root", "result"]])
    if (kinds.has(kind)) rows.push(make("span", {}, sample(Object.assign(make("g", { class: `lg-${kind}` }), {}), ...[]), words)), rows[rows.length - 1].querySelector("g").append(...shape[kind]);
  rows.push(make("span", {}, sample(make("path", { class: "lg-forward", d: "M0 9H22" }), make("path", { class: "lg-head", d: "M30 9l-8-3.6v7.2z" })), "value"));
  if (G.edges.some(e => e[3])) rows.push(make("span", {}, sample(make("path", { class: "lg-backward", d: "M8 9H30" }), make("path", { class: "lg-backhead", d: "M0 9l8-3.6v7.2z" })), "gradient"));
  if (text) rows.push(make("span", {}, sample(make("rect", { class: "hot", x: 8, y: 2, width: 7, height: 14, style: "fill:var(--heat)" })), text));
  $("legend").replaceChildren(...rows);
}

/* ---- zoom and pan */

const view = { x: 0, y: 0, k: 1 };
const stage = $("stage");
function look() {
  $("world").setAttribute("transform", `translate(${r(view.x)} ${r(view.y)}) scale(${view.k.toFixed(4)})`);
  $("graph").classList.toggle("far", view.k < 0.33);
}
function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const k = clamp(view.k * factor, 0.02, 4);
  view.x = x - (x - view.x) * k / view.k; view.y = y - (y - view.y) * k / view.k; view.k = k;
  look();
}
function whole() {
  const w = stage.clientWidth - 50, h = stage.clientHeight - 66;
  view.k = clamp(Math.min(w / bounds.w, h / bounds.h), 0.02, 1.15);
  view.x = (stage.clientWidth - bounds.w * view.k) / 2; view.y = Math.max(16, (h - bounds.h * view.k) / 2 + 14);
  look();
}
/* at first: all of it if that can be read, else the result at the bottom */
function first() {
  whole();
  if (view.k >= 0.62) return;
  view.k = Math.min(0.85, Math.max(0.62, view.k));
  const last = elements.get(shown(resultId()));
  view.x = stage.clientWidth / 2 - (last.x + last.w / 2) * view.k;
  view.y = stage.clientHeight - 60 - (last.y + last.h) * view.k;
  look();
}
const resultId = () => { const i = G.nodes.findIndex(n => n.k === "root"); return i < 0 ? G.nodes.length - 1 : i; };
function reveal(key) {
  const at = elements.get(key);
  if (!at) return;
  const x = view.x + (at.x + Math.min(at.w, 400) / 2) * view.k, y = view.y + (at.y + Math.min(at.h, 100) / 2) * view.k, m = 60;
  if (view.k < 0.33) zoom(0.7 / view.k, x, y);
  if (x < m || x > stage.clientWidth - m || y < m || y > stage.clientHeight - m) {
    view.x = stage.clientWidth / 2 - (at.x + Math.min(at.w, 400) / 2) * view.k;
    view.y = stage.clientHeight / 2 - (at.y + Math.min(at.h, 100) / 2) * view.k;
    look();
  }
}
stage.addEventListener("wheel", event => {
  event.preventDefault();
  const box = stage.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), event.clientX - box.left, event.clientY - box.top);
}, { passive: false });
const fingers = new Map();
let moved = false;
stage.addEventListener("pointerdown", event => { fingers.set(event.pointerId, [event.clientX, event.clientY]); if (fingers.size === 1) moved = false; });
addEventListener("pointermove", event => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const now = [event.clientX, event.clientY];
  if (!moved && Math.hypot(now[0] - before[0], now[1] - before[1]) < 4) return;
  moved = true;
  stage.classList.add("dragging");
  if (fingers.size === 2) {
    const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, p]) => p), box = stage.getBoundingClientRect();
    zoom(Math.hypot(now[0] - other[0], now[1] - other[1]) / Math.max(Math.hypot(before[0] - other[0], before[1] - other[1]), 1),
      (now[0] + other[0]) / 2 - box.left, (now[1] + other[1]) / 2 - box.top);
  } else { view.x += now[0] - before[0]; view.y += now[1] - before[1]; look(); }
  fingers.set(event.pointerId, now);
});
for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, event => { fingers.delete(event.pointerId); stage.classList.remove("dragging"); });

/* ---- folding */

function toggle(id) {
  const key = "g" + id, before = elements.get(key);
  if (open.has(id)) open.delete(id); else open.add(id);
  draw();
  const after = elements.get(key); /* what was clicked stays where it is */
  if (before && after) { view.x += (before.x + before.w / 2 - after.x - after.w / 2) * view.k; view.y += (before.y - after.y) * view.k; look(); }
}
function unfoldTo(id) {
  const shut = parents(id).filter(g => !open.has(g));
  for (const g of shut) open.add(g);
  if (shut.length) draw();
}
stage.addEventListener("click", event => {
  if (moved) { moved = false; return; }
  const node = event.target.closest("[data-node]"), port = event.target.closest("[data-port]"), group = event.target.closest("[data-group]");
  if (node) select(+node.dataset.node);
  else if (port) { unfoldTo(+port.dataset.port); select(+port.dataset.port, true); }
  else if (group) { toggle(+group.dataset.group); selectGroup(+group.dataset.group); }
});

/* ---- choosing */

let group = null; /* the chosen group, if it is one */
function select(id, scroll) {
  chosen = id; group = null;
  if (scroll) unfoldTo(id);
  mark();
  if (scroll) reveal("n" + id);
  describe(id);
}
function selectGroup(id) { group = id; chosen = null; mark(); describeGroup(id); }
function mark() {
  for (const { element } of elements.values()) if (element.classList.contains("lg-selected")) element.classList.remove("lg-selected");
  const key = group !== null ? "g" + group : chosen !== null ? shown(chosen) : "";
  const at = elements.get(key);
  if (at) at.element.classList.add("lg-selected");
  for (const line of lines) line.element.classList.toggle("lg-near", chosen !== null && group === null && line.edges.some(e => G.edges[e][0] === chosen || G.edges[e][1] === chosen));
}
const link = (id, text) => make("button", { type: "button", class: "link", onclick: () => select(id, true) }, text || cut(title(G.nodes[id]), 40));

function describe(id, back) {
  const node = G.nodes[id];
  const parts = [make("h2", {}, title(node)), make("p", { class: "what" }, [KINDS[node.k] || node.k, node.o, node.t, node.m && `in ${node.m}`].filter(Boolean).join(", "))];
  const given = into[id].filter(edge => edge[3]);
  if (back && given.length) {
    parts.push(make("h3", {}, "The chain rule at this step"));
    for (const edge of given) {
      const others = out[edge[0]].filter(e => e[3]).length;
      parts.push(edge[6] !== undefined ? math(edge[6]) : make("p", { class: "chain grad" }, `gradient of ${cut(title(G.nodes[edge[0]]), 30)}: the gradient here times ${edge[4] || "the local derivative"}`));
      if (others > 1) parts.push(make("p", { class: "note" }, `one of ${others} contributions, which are added up`));
    }
  }
  if (node.src) parts.push(...source(node));
  if (node.f !== undefined) parts.push(make("h3", {}, "What it computes"), math(node.f));
  if (into[id].length) {
    parts.push(make("h3", {}, "Made of, and the local derivatives"));
    into[id].forEach((edge, i) => {
      parts.push(make("p", { class: "chain" }, into[id].length > 1 ? `${"abcdefgh"[i] || ""} ` : "", link(edge[0]), edge[2] ? ` (${edge[2]})` : "",
        edge[3] ? edge[5] === undefined ? make("span", { class: "grad" }, edge[4] ? `  derivative: ${edge[4]}` : "  derivative: no short form") : "" : "  no gradient"));
      if (edge[5] !== undefined) parts.push(math(edge[5]));
    });
  }
  if (out[id].length) {
    parts.push(make("h3", {}, out[id].filter(e => e[3]).length > 1 ? "Used by; the gradient is the sum of what they send back" : "Used by, and what that sends back"));
    for (const edge of out[id]) {
      parts.push(make("p", { class: "chain" }, link(edge[1])));
      if (edge[6] !== undefined) parts.push(math(edge[6]));
    }
  }
  parts.push(...history(id));
  if (node.v) parts.push(make("h3", {}, "Value"), summary(node.v));
  for (const edge of into[id]) if (node.o && G.nodes[edge[0]].v && into[id].length < 5) parts.push(make("h3", {}, `Input ${cut(title(G.nodes[edge[0]]), 30)}`), summary(G.nodes[edge[0]].v));
  if (I.length && (node.v || node.g)) parts.push(make("p", { class: "note" }, "Values and gradients in full are those of the first iteration with this graph."));
  if (node.g) parts.push(make("h3", {}, "Gradient"), summary(node.g));
  if (node.kept) parts.push(make("h3", {}, "Kept for the backward pass"), ...node.kept.map(k => make("p", { class: "chain" }, `${k[0]}  ${k[2]}[${k[1].join(", ")}], ${count(k[3], "byte")}`)));
  $("details").replaceChildren(...parts);
  $("side").scrollTop = 0;
}
function describeGroup(id) {
  const it = G.groups[id], inside = G.nodes.map((_, n) => n).filter(n => parents(n).includes(id));
  const parameters = inside.filter(n => G.nodes[n].k === "parameter"), size = parameters.reduce((sum, n) => sum + G.nodes[n].size, 0);
  const kept = inside.reduce((sum, n) => sum + bytes(G.nodes[n]), 0);
  const parts = [make("h2", {}, it.m || it.t), make("p", { class: "what" }, it.n), make("p", {}, `${count(parameters.length, "parameter")}${size ? ` with ${count(size, "element")}` : ""}, ${count(kept, "byte")} kept for the backward pass.`)];
  const named = inside.filter(n => G.nodes[n].n).slice(0, 40);
  if (named.length) parts.push(make("h3", {}, "Names inside"), ...named.map(n => make("p", { class: "chain" }, link(n), ` ${G.nodes[n].t}`)));
  $("details").replaceChildren(...parts);
}

function source(node) {
  const [file, line, column, end, endColumn, expression, where] = node.src, parts = [];
  const place = [file >= 0 && `${D.files[file].name}, line ${line}`, where && where !== "<module>" && `in ${where}`].filter(Boolean).join(", ");
  parts.push(make("h3", {}, node.o ? `Recorded by ${place}` : `Used in ${place}`));
  const text = file >= 0 ? D.files[file].lines : {};
  if (text[line] === undefined) { parts.push(make("pre", { class: "source" }, make("div", { "data-line": "" }, make("mark", {}, expression)))); return parts; }
  const box = make("pre", { class: "source" });
  for (let n = line - 3; n <= end + 3; n++) {
    if (text[n] === undefined) continue;
    const t = text[n], row = make("div", { "data-line": n });
    const from = n < line || n > end || column < 0 ? t.length : n === line ? column : t.length - t.trimStart().length;
    const to = n < line || n > end || column < 0 ? t.length : n === end ? endColumn : t.length;
    row.append(t.slice(0, from), from < to ? make("mark", {}, t.slice(from, to)) : "", t.slice(to) || (t ? "" : "\u200b"));
    box.append(row);
  }
  parts.push(box);
  return parts;
}

function summary(s) {
  const shape = s.shape || [], name = make("p", { class: "note" }, `${s.dtype}${shape.length ? `[${shape.join(", ")}]` : ""}`);
  if (s.values !== undefined) {
    let rows = s.values;
    if (!shape.length) rows = [[rows]];
    else if (shape.length === 1) rows = Array.from({ length: Math.ceil(shape[0] / 6) }, (_, i) => rows.slice(i * 6, i * 6 + 6));
    else for (let d = shape.length; d > 2; d--) rows = rows.flat();
    const top = Math.max(...rows.flat().filter(v => typeof v === "number").map(Math.abs), 0);
    if (!rows.flat().length) return make("p", { class: "note" }, "no elements");
    const cell = v => {
      const share = typeof v === "number" && top ? Math.round(Math.abs(v) / top * 42) : 0;
      return make("td", { style: `background:color-mix(in srgb, var(${v < 0 ? "--true" : "--accent"}) ${share}%, var(--page))`, class: typeof v === "string" ? "warn" : null }, number(v, 4));
    };
    return make("div", {}, name, make("div", { class: "scroll" }, make("table", { class: "cells" }, make("tbody", {}, ...rows.map(row => make("tr", {}, ...row.map(cell)))))));
  }
  const facts = [["mean", s.mean], ["std", s.std], ["min", s.min], ["max", s.max]].filter(([, v]) => v !== undefined);
  const box = make("div", {}, name, make("div", { class: "stats" }, ...facts.map(([what, v]) => make("span", {}, make("b", {}, what), " " + number(v)))));
  if (s.nonfinite) box.append(make("p", { class: "warn" }, `${count(s.nonfinite, "element")} not finite`));
  if ((s.bars || []).length > 1) {
    const most = Math.max(...s.bars), w = 360 / s.bars.length, svg = make("svg", { class: "bars", viewBox: "0 0 360 64", preserveAspectRatio: "none", role: "img", "aria-label": `Histogram: ${s.bars.join(", ")}` });
    s.bars.forEach((n, i) => { const h = n ? Math.max(n / most * 60, 1.5) : 0; svg.append(make("rect", { x: i * w + 0.7, width: w - 1.4, y: 64 - h, height: h })); });
    box.append(svg, make("div", { class: "ends" }, make("span", {}, number(s.min)), make("span", {}, number(s.max))));
  }
  return box;
}

/* ---- searching */

let hits = [], hit = -1;
function search() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  hits = []; hit = -1;
  if (words.length) {
    const texts = node => [node.n, node.o, node.s, node.m, node.t, node.src && node.src[5]].join(" ").toLowerCase();
    hits = G.nodes.map((node, id) => [texts(node), id, node.n ? 0 : 1]).filter(([text]) => words.every(w => text.includes(w))).sort((a, b) => a[2] - b[2]).map(([, id]) => id);
  }
  const rows = hits.slice(0, 40).map((id, i) => make("li", { role: "option", onclick: () => choose(i) }, cut(title(G.nodes[id]), 90),
    make("small", {}, [G.nodes[id].o || G.nodes[id].k, G.nodes[id].t, G.nodes[id].m].filter(Boolean).join(" · "))));
  if (words.length) rows.unshift(make("small", { class: "what" }, hits.length ? `${count(hits.length, "node")}${hits.length > 40 ? ", the first 40:" : ""}` : "nothing found"));
  $("found").replaceChildren(...rows);
  $("found").hidden = !words.length || document.activeElement !== $("search");
}
function choose(i) {
  hit = i;
  $("found").hidden = true;
  select(hits[i], true);
}
$("search").addEventListener("input", search);
$("search").addEventListener("focus", search);
$("search").addEventListener("keydown", event => {
  const rows = $("found").querySelectorAll("li");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    hit = clamp(hit + (event.key === "ArrowDown" ? 1 : -1), 0, rows.length - 1);
    rows.forEach((row, i) => row.classList.toggle("on", i === hit));
    if (rows[hit]) rows[hit].scrollIntoView({ block: "nearest" });
  } else if (event.key === "Enter" && hits.length) { choose(Math.max(hit, 0)); stage.focus(); }
  else if (event.key === "Escape") { $("found").hidden = true; stage.focus(); }
  event.stopPropagation();
});
addEventListener("click", event => { if (!event.target.closest(".search")) $("found").hidden = true; });

/* ---- stepping: what is visible, in the order of computation, then back */

let steps = [], at = -1; /* at −1 everything is shown */
function order() {
  const seen = new Map(), differentiable = new Set();
  for (const edge of G.edges) if (edge[3]) { differentiable.add(edge[0]); differentiable.add(edge[1]); }
  G.nodes.forEach((node, id) => { const key = shown(id); if (key[0] === "g" || node.o) seen.set(key, id); });
  const forward = [...seen].sort((a, b) => a[1] - b[1]);
  const back = forward.filter(([key, id]) => key[0] === "g" ? G.nodes.some((_, n) => differentiable.has(n) && shown(n) === key) : differentiable.has(id)).reverse();
  steps = [...forward.map(([key]) => [key, 0]), ...back.map(([key]) => [key, 1])];
  $("slider").max = steps.length;
  if (at > steps.length) at = steps.length;
  $("slider").value = at < 0 ? 0 : at;
}
const endKey = end => end[0] === "n" || end[0] === "g" ? end[0] + end[1] : "";
function showStep() {
  const done = new Map(), graded = new Set(), on = at >= 0;
  if (on) steps.slice(0, at).forEach(([key, back]) => { done.set(key, true); if (back) graded.add(key); });
  const [key, back] = at > 0 ? steps[at - 1] : ["", 0];
  for (const [name, { element }] of elements) {
    const isOp = name[0] === "g" ? !element.classList.contains("opened") : Boolean(G.nodes[+name.slice(1)].o);
    element.classList.toggle("todo", on && isOp && !done.has(name));
    element.classList.toggle("step", on && name === key);
    if (name[0] === "n") {
      const id = +name.slice(1);
      const reached = !on || graded.has(name) || out[id].some(e => graded.has(shown(e[1]))) || (back && name === key);
      for (const text of element.querySelectorAll(".lg-gradient")) text.classList.toggle("unseen", !reached);
      for (const text of element.querySelectorAll(".lg-value")) text.classList.toggle("unseen", on && isOp && !done.has(name));
    }
  }
  for (const line of lines) {
    line.element.classList.toggle("flow", on && !back && endKey(line.b) === key && key !== "");
    line.element.classList.toggle("flowback", on && Boolean(back) && endKey(line.b) === key && key !== "");
  }
  if (!on) { $("now").textContent = "Step through: forward, then backward."; return; }
  $("slider").value = at;
  $("slider").setAttribute("aria-valuetext", at ? `step ${at} of ${steps.length}` : "before the first step");
  if (!at) { $("now").textContent = "Nothing is computed yet: leaves and constants have their values."; return; }
  const forward = steps.filter(s => !s[1]).length;
  const head = back ? `Backward ${at - forward} of ${steps.length - forward}: ` : `Forward ${at} of ${forward}: `;
  if (key[0] === "g") {
    const it = G.groups[+key.slice(1)];
    $("now").textContent = `${head}${it.m || it.t} (${it.n})${back ? " passes its gradients back" : " is computed"}`;
    return;
  }
  const id = +key.slice(1), node = G.nodes[id];
  const tiny = s => s && s.values !== undefined && !(s.shape || []).length ? ` = ${number(s.values)}` : "";
  if (!back) $("now").textContent = head + [node.n, node.src && node.src[5] !== node.n && node.src[5]].filter(Boolean).join(" = ") + tiny(node.v);
  else {
    const root = title(G.nodes[resultId()]);
    const parts = into[id].filter(e => e[3]).map(e => `∂${root}/∂${cut(title(G.nodes[e[0]]), 24)} ${out[e[0]].filter(o => o[3]).length > 1 ? "gets" : "="} ∂${root}/∂${cut(title(node), 24)} · (${e[4] || "local derivative"})`);
    $("now").textContent = `${head}the gradient here${tiny(node.g) || (node.k === "root" ? " = 1" : "")}. ${parts.join("; ")}`;
  }
}
function go(to) {
  at = clamp(to, 0, steps.length);
  showStep();
  if (at > 0) {
    const [key] = steps[at - 1];
    reveal(key);
    if (key[0] === "n") { select(+key.slice(1)); describe(+key.slice(1), steps[at - 1][1]); } else selectGroup(+key.slice(1));
  }
}
let timer = 0;
function stop() { clearInterval(timer); timer = 0; $("play").textContent = "▶ Play"; $("play").setAttribute("aria-label", "Play"); }
function play() {
  if (timer) return stop();
  if (at < 0 || at >= steps.length) go(0);
  $("play").textContent = "❚❚ Pause"; $("play").setAttribute("aria-label", "Pause");
  timer = setInterval(() => { go(at + 1); if (at >= steps.length) stop(); }, clamp(40000 / Math.max(steps.length, 1), 90, 900));
}
$("play").addEventListener("click", play);
$("first").addEventListener("click", () => { stop(); go(0); });
$("last").addEventListener("click", () => { stop(); go(steps.length); });
$("next").addEventListener("click", () => { stop(); go(at + 1); });
$("back").addEventListener("click", () => { stop(); go(at - 1); });
$("slider").addEventListener("input", () => { stop(); go(+$("slider").value); });

/* ---- keys */

function walk(key) {
  if (chosen === null) return select(resultId(), true);
  const siblings = out[chosen].flatMap(e => into[e[1]].map(i => i[0])), place = siblings.indexOf(chosen);
  const to = { ArrowUp: into[chosen][0] && into[chosen][0][0], ArrowDown: out[chosen][0] && out[chosen][0][1], ArrowLeft: siblings[place - 1], ArrowRight: siblings[place + 1] }[key];
  if (to !== undefined) select(to, true);
}
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select")) return;
  const on = event.target.closest("button");
  const keys = {
    "/": () => $("search").focus(), "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: whole, f: whole,
    n: () => { stop(); go(at + 1); }, p: () => { stop(); go(at - 1); }, " ": play,
    Escape: () => { stop(); at = -1; showStep(); },
    Enter: () => { const g = group !== null ? group : chosen !== null ? home[chosen] : 0; if (g > 0) { toggle(g); selectGroup(g); } },
    u: () => $("unfold").click(), F: () => $("fold").click(),
  };
  if (on && (event.key === " " || event.key === "Enter")) return;
  if (event.key.startsWith("Arrow")) { event.preventDefault(); walk(event.key); }
  else if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});

/* ---- the buttons */

$("larger").addEventListener("click", () => zoom(1.25));
$("smaller").addEventListener("click", () => zoom(0.8));
$("whole").addEventListener("click", whole);
$("fold").addEventListener("click", () => { open.clear(); open.add(0); draw(); first(); });
/* level by level, as far as a browser stays quick */
const MOST = 1500;
$("unfold").addEventListener("click", () => {
  let level = [0], seen = G.groups[0].items.length;
  while (level.length) {
    const next = [];
    for (const id of level) for (const [kind, n] of G.groups[id].items) if (kind === "g") {
      if (!open.has(n) && seen + G.groups[n].items.length > MOST) continue;
      seen += G.groups[n].items.length;
      open.add(n); next.push(n);
    }
    level = next;
  }
  draw(); first();
  if (open.size < G.groups.length) $("now").textContent = `Unfolded as far as the page stays quick; ${count(G.groups.length - open.size, "group")} can be opened with a click.`;
});
$("colour").addEventListener("change", draw);
$("views").hidden = Boolean(D.iterations) || D.graphs.length < 2;
$("views").addEventListener("click", () => {
  const node = chosen === null ? null : G.nodes[chosen], hide = which === 0;
  stop(); at = -1; chosen = group = null;
  load(hide ? 1 : 0);
  $("views").setAttribute("aria-pressed", hide);
  $("views").textContent = hide ? "Show views" : "Hide views";
  draw(); first(); search();
  select(node && G.nodes.includes(node) ? G.nodes.indexOf(node) : resultId());
});
$("theme").addEventListener("click", () => {
  const root = document.documentElement, next = { "": "light", light: "dark", dark: "" }[root.dataset.theme || ""];
  if (next) root.dataset.theme = next; else delete root.dataset.theme;
  $("theme").textContent = `Theme: ${next || "auto"}`;
});
/* on paper: all of the drawing, whatever part of it was on the screen */
let screenView = null;
addEventListener("beforeprint", () => { screenView = { ...view }; $("graph").setAttribute("viewBox", `-20 -20 ${bounds.w + 40} ${bounds.h + 40}`); Object.assign(view, { x: 0, y: 0, k: 1 }); look(); });
addEventListener("afterprint", () => { $("graph").removeAttribute("viewBox"); Object.assign(view, screenView); look(); });

/* ---- iterations of a training run: D.iterations has the figures of each */

const I = D.iterations || [];
let iteration = -1;
function spark(values, mark, words) {
  const real = values.map(v => typeof v === "number" && v > 0 ? Math.log10(v) : null), some = real.filter(v => v !== null);
  const low = Math.min(...some), high = Math.max(...some), x = i => values.length > 1 ? i / (values.length - 1) * 300 : 150;
  const y = v => high - low < 1e-9 ? 20 : 36 - (v - low) / (high - low) * 32;
  let d = "", pen = "M";
  real.forEach((v, i) => { if (v === null) pen = "M"; else { d += `${pen}${x(i).toFixed(1)} ${y(v).toFixed(1)}`; pen = "L"; } });
  return make("svg", { viewBox: "-4 0 308 40", preserveAspectRatio: "none", role: "img", "aria-label": words, class: "spark" },
    make("title", {}, some.length ? `${words}: ${number(10 ** low, 3)} to ${number(10 ** high, 3)}, logarithmic` : words),
    make("path", { class: "curve", d }), make("line", { class: "at", x1: x(mark), x2: x(mark), y1: 0, y2: 40 }));
}
function history(id) {
  if (!I.length) return [];
  const key = G.nodes[id].id;
  const find = (one, what) => { const graph = D.graphs[one.graph]; graph.ids = graph.ids || new Map(graph.nodes.map((n, k) => [n.id, k])); const k = graph.ids.get(key); return k === undefined ? null : one[what][k]; };
  return [["g", "Norm of the gradient over the iterations"], ["v", "Norm of the value over the iterations"]].flatMap(([what, words]) => {
    const values = I.map(one => find(one, what));
    return values.some(v => v !== null) ? [make("h3", {}, words), spark(values, iteration, words), make("p", { class: "chain" }, `now ${number(values[iteration] ?? undefined)}`)] : [];
  });
}
function scrub(to) {
  iteration = clamp(to, 0, I.length - 1);
  const now = I[iteration], other = which !== now.graph;
  const key = chosen !== null ? G.nodes[chosen].id : null;
  load(now.graph);
  if (other && key !== null) { const same = G.nodes.findIndex(n => n.id === key); chosen = same < 0 ? null : same; }
  figures = [now.g, now.v];
  marked = new Set(now.new);
  at = -1;
  for (const id of now.new) for (const g of parents(id)) open.add(g);
  draw();
  if (other) first();
  select(chosen === null ? resultId() : chosen);
  $("iteration").value = iteration;
  $("said").textContent = `Iteration ${now.n}, loss ${number(now.loss, 6)}${now.changes ? `. The graph differs: ${now.changes}` : ""}`;
  $("notes").replaceChildren(...(now.notes.length ? now.notes : ["no gradient vanishes or explodes, nothing is dead"]).map(text => make("li", { class: now.notes.length ? "warn" : null }, text)));
  $("losses").replaceChildren(spark(I.map(one => one.loss), iteration, "Loss over the iterations"));
}
function scrubber() {
  const box = $("scrub");
  box.hidden = false;
  const slider = make("input", { type: "range", id: "iteration", min: 0, max: I.length - 1, value: 0, "aria-label": "Iteration", oninput: () => scrub(+slider.value) });
  box.append(make("button", { type: "button", "aria-label": "Iteration before", onclick: () => scrub(iteration - 1) }, "◀"), slider,
    make("button", { type: "button", "aria-label": "Next iteration", onclick: () => scrub(iteration + 1) }, "▶"),
    make("span", { id: "losses" }), make("output", { id: "said", for: "iteration" }), make("ul", { id: "notes" }));
  const kinds = [...new Set(I.flatMap((one, i) => one.changes || one.notes.length ? [i] : []))];
  if (kinds.length) box.insertBefore(make("button", { type: "button", onclick: () => scrub(kinds.find(i => i > iteration) ?? kinds[0]) }, "Next remark"), $("losses"));
  $("colour").value = "g";
}

if (I.length) { load(I[0].graph); scrubber(); scrub(0); first(); }
else { load(0); draw(); first(); select(resultId()); }
