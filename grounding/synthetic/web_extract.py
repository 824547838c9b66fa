"""Script that runs in a page and reports its elements and words with boxes in CSS pixels."""
# ruff: noqa: E501  (the script keep their long lines)

EXTRACT = r"""
() => {
const W = innerWidth, H = innerHeight, out = {elements: [], words: []};
const ACTIVE = 'a[href],button,input:not([type=hidden]),select,textarea,summary,[contenteditable=true],[role=button],[role=link],' +
  '[role=menuitem],[role=menuitemcheckbox],[role=menuitemradio],[role=tab],[role=checkbox],[role=radio],[role=switch],[role=option],' +
  '[role=slider],[role=treeitem],[role=combobox],[role=textbox],[role=searchbox],[role=listitem][tabindex],[data-role]';
const READ = 'h1,h2,h3,h4,h5,h6,th,td,legend,dt,dd,figcaption,img[alt],.x-badge,[class*=badge],label,svg[data-icon]';
const squeeze = t => (t || '').replace(/\s+/g, ' ').trim();
const seen = new Map();
const shown = e => { let v = seen.get(e); if (v === undefined) { v = e.checkVisibility({opacityProperty: true, visibilityProperty: true}); seen.set(e, v); } return v; };
const parse = c => { const m = c.match(/[\d.]+/g); if (!m) return null; const k = m.map(Number);
  if (c.startsWith('color(')) { return [k[0] * 255, k[1] * 255, k[2] * 255, k.length > 3 ? k[3] : 1]; } return [k[0], k[1], k[2], k.length > 3 ? k[3] : 1]; };
const lum = c => { const f = v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }; return .2126 * f(c[0]) + .7152 * f(c[1]) + .0722 * f(c[2]); };
const readable = e => {
  const s = getComputedStyle(e), ink = parse(s.color); if (!ink || ink[3] < .25 || parseFloat(s.fontSize) < 6) return false;
  if (e.ownerSVGElement) return true;
  for (let p = e; p; p = p.parentElement) {
    const t = getComputedStyle(p); if (t.backgroundImage !== 'none') return true;
    const b = parse(t.backgroundColor);
    if (b && b[3] > .7) { const x = lum(ink), y = lum(b); return (Math.max(x, y) + .05) / (Math.min(x, y) + .05) > 1.45; }
  }
  return true;
};
const clip = (e, r, own) => {
  let [l, t, b, d] = [Math.max(r.left, 0), Math.max(r.top, 0), Math.min(r.right, W), Math.min(r.bottom, H)];
  let fixed = false;
  for (let p = e; p && p !== document.documentElement; p = p.parentElement) {
    const s = getComputedStyle(p);
    if ((own || p !== e) && p !== document.body && !fixed && (s.overflowX !== 'visible' || s.overflowY !== 'visible')) {
      const q = p.getBoundingClientRect(); l = Math.max(l, q.left); t = Math.max(t, q.top); b = Math.min(b, q.right); d = Math.min(d, q.bottom);
    }
    if (s.position === 'fixed') fixed = true;
  }
  return {left: l, top: t, right: b, bottom: d, width: b - l, height: d - t};
};
const bound = e => {
  const s = getComputedStyle(e);
  let list = [...e.getClientRects()];
  if (s.display === 'inline' || s.display === 'contents') for (const k of e.querySelectorAll('*')) if (shown(k)) list.push(k.getBoundingClientRect());
  list = list.filter(r => r.width > 0 && r.height > 0);
  if (!list.length) return null;
  const l = Math.min(...list.map(r => r.left)), t = Math.min(...list.map(r => r.top)), b = Math.max(...list.map(r => r.right)), d = Math.max(...list.map(r => r.bottom));
  return {left: l, top: t, right: b, bottom: d, width: b - l, height: d - t};
};
const textbox = e => {
  const g = document.createRange(); g.selectNodeContents(e);
  const list = [...g.getClientRects()].filter(r => r.width > 0 && r.height > 0); if (!list.length) return null;
  const l = Math.min(...list.map(r => r.left)), t = Math.min(...list.map(r => r.top)), b = Math.max(...list.map(r => r.right)), d = Math.max(...list.map(r => r.bottom));
  return {left: l, top: t, right: b, bottom: d, width: b - l, height: d - t};
};
const usable = (e, box) => {
  if (!box || box.width < 6 || box.height < 6) return null;
  const c = clip(e, box);
  if (c.width < 6 || c.height < 6 || c.width * c.height < .7 * box.width * box.height) return null;
  const owner = n => n && (n === e || e.contains(n));
  const at = (x, y) => document.elementFromPoint(c.left + c.width * x, c.top + c.height * y);
  const mid = at(.5, .5); if (!owner(mid)) return null;
  const inner = mid.closest(ACTIVE); if (inner && inner !== e && e.contains(inner)) return null;
  if ([[.12, .5], [.88, .5], [.5, .2], [.5, .8]].filter(p => owner(at(...p))).length < 3) return null;
  return [c.left, c.top, c.right, c.bottom];
};
const visibleText = e => squeeze(e.innerText !== undefined ? e.innerText : e.textContent);
const captionOf = e => {
  const by = e.getAttribute('aria-labelledby');
  if (by) { const t = squeeze(by.split(/\s+/).map(i => { const n = document.getElementById(i); return n ? n.innerText : ''; }).join(' ')); if (t) return t; }
  if (e.labels && e.labels.length) { const t = squeeze([...e.labels].map(n => [...n.childNodes].filter(k => k !== e && !(k.matches && k.matches('select,textarea'))).map(k => k.innerText !== undefined ? k.innerText : k.textContent).join(' ')).join(' ')); if (t) return t.replace(/\s*[*:]+$/, ''); }
  return '';
};
const ROLES = {a: 'link', button: 'button', summary: 'button', textarea: 'field', select: 'combobox', td: 'cell', dd: 'cell', th: 'heading', img: 'image', label: 'label', legend: 'heading', dt: 'label'};
const KNOWN = {button: 'button', link: 'link', menuitem: 'menuitem', menuitemcheckbox: 'menuitem', menuitemradio: 'menuitem', tab: 'tab', checkbox: 'checkbox', radio: 'radio', switch: 'switch',
  option: 'listitem', listitem: 'listitem', slider: 'slider', treeitem: 'treeitem', combobox: 'combobox', textbox: 'field', searchbox: 'field', gridcell: 'cell', img: 'image'};
const roleOf = e => {
  const d = e.dataset.role || KNOWN[e.getAttribute('role')]; if (d) return d;
  const tag = e.tagName.toLowerCase();
  if (tag === 'input') return {checkbox: 'checkbox', radio: 'radio', range: 'slider', submit: 'button', button: 'button', reset: 'button', image: 'button', file: 'button', color: 'button'}[e.type] || 'field';
  if (/^h[1-6]$/.test(tag)) return 'heading';
  return ROLES[tag] || 'label';
};
const iconOf = e => { const s = e.tagName === 'svg' ? [e] : [...e.querySelectorAll('svg[data-icon]')]; return s.length === 1 ? s[0].dataset.icon : ''; };
const sectionOf = e => {
  for (let p = e.parentElement; p && p !== document.body; p = p.parentElement) {
    const box = p.matches('section,article,aside,fieldset,form,dialog,[role=dialog],[role=menu],[role=toolbar],[role=group],[role=region],[role=tablist],nav') ||
      /(^|[\s_-])(card|panel|modal|box|tile|callout|segment|widget)([\s]|$)/i.test(p.className.baseVal === undefined ? p.className : '');
    if (!box || p.tagName === 'MAIN') continue;
    const heads = [...p.querySelectorAll('h1,h2,h3,h4,h5,h6,legend,[data-title],[class*=card-header],[class*=card-title],[class*=modal-title]')];
    const h = heads.filter(n => n.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING).pop();
    if (h && h !== e && !h.contains(e) && shown(h) && !e.contains(h)) {
      const r = h.getBoundingClientRect(), t = visibleText(h);
      if (t && t.length <= 60 && r.top >= -2 && r.bottom <= H + 2 && r.right <= W + 2) return t;
    }
    if (p.matches('[role=dialog],dialog')) return '';
  }
  return '';
};
const rowOf = (e, name) => {
  const p = e.closest('tbody tr,[data-row],li,[role=row],[role=listitem]');
  if (!p || (p === e) || p.closest('nav,[role=menu],[role=tablist]')) return '';
  const cells = p.matches('tr') ? [...p.cells].filter(c => c !== e) : [...p.querySelectorAll('[data-name],h1,h2,h3,h4,h5,h6,strong,b,a,span,p')];
  const named = p.querySelector('[data-name]');
  for (const c of named ? [named] : cells) { if (c.contains(e) || e.contains(c)) continue; const t = visibleText(c); if (/[\p{L}\d]{2}/u.test(t) && t.length < 50 && t !== name && shown(c)) return t; }
  return '';
};
const add = (e, passive) => {
  if (!shown(e) && !(e.labels && e.labels.length)) return;
  let role = roleOf(e), tag = e.tagName.toLowerCase(), target = e, box = bound(e);
  const choice = ['checkbox', 'radio', 'switch'].includes(role) && tag === 'input';
  let got = shown(e) ? usable(e, box) : null;
  if (!got && choice && e.labels && e.labels[0]) { target = e.labels[0]; got = usable(target, bound(target)); }
  if (!got) return;
  const inside = tag === 'select' ? squeeze(e.selectedOptions[0] && e.selectedOptions[0].textContent) : tag === 'input' || tag === 'textarea' ? squeeze(e.type === 'password' ? '' : e.value || e.placeholder) : choice ? '' : visibleText(e);
  const seenText = target !== e ? visibleText(target) : inside;
  const caption = captionOf(e), aria = squeeze(e.getAttribute('aria-label')), title = squeeze(e.getAttribute('title'));
  let concept = iconOf(e);
  let name = aria || caption;
  if (!name && ['submit', 'button', 'reset'].includes(e.type) && tag === 'input') name = squeeze(e.value);
  if (!name && role !== 'field' && role !== 'combobox') name = inside;
  if (!name) { const im = e.querySelector('img[alt]'); name = squeeze(e.alt) || (im ? squeeze(im.alt) : '') || title || squeeze(e.placeholder); }
  if (!name && (role === 'combobox' || role === 'field')) name = inside;
  if (/\d$/.test(name) && !aria && e.querySelector('[class*=badge],[class*=tag],[class*=label],[class*=Label],[class*=Counter]')) name = name.replace(/ \d+$/, '');
  if (!name || name.length > 140 || !/[\p{L}\d+]/u.test(name) || /[\u3000-\u9fff\uac00-\ud7af\u0590-\u06ff]/.test(name)) return;
  if (passive && tag === 'svg') return;
  if (passive && tag === 'label' && (e.control || e.querySelector('input'))) return;
  if (passive && tag !== 'img') {
    if (e.querySelector(ACTIVE) || e.closest(ACTIVE)) return;
    if (name.length > 60 || !readable(e)) return;
    if (tag !== 'td' && tag !== 'th') { const t = textbox(e); const u = t && usable(e, t); if (!u) return; got = u; }
  }
  if (passive && tag === 'img' && (e.closest(ACTIVE) || got[2] - got[0] < 24)) return;
  const norm = t => t.toLowerCase().replace(/[^\p{L}\d]+/gu, ' ').trim();
  const n = norm(name), s = norm(seenText);
  const isText = !!s && (s.includes(n) || n.split(' ').filter(w => s.split(' ').includes(w)).length >= .6 * n.split(' ').length);
  if (isText && tag !== 'input' && tag !== 'select' && tag !== 'textarea') {
    let ok = readable(e); if (!ok) for (const k of e.querySelectorAll('*')) if (k.childNodes.length && [...k.childNodes].some(c => c.nodeType === 3 && c.data.trim()) && readable(k)) ok = true;
    if (!ok) return;
  }
  const drawn = concept || e.querySelector('img,svg') || tag === 'img' || tag === 'input' || tag === 'select' || tag === 'textarea' || role === 'switch' || role === 'slider' || s;
  if (!drawn && getComputedStyle(e).backgroundImage === 'none') return;
  if (isText) concept = '';
  else if (concept) { const v = e.tagName === 'svg' ? e : e.querySelector('svg[data-icon]'); if (!readable(v)) return; }
  const row = rowOf(e, name);
  const on = e.checked || e.getAttribute('aria-checked') === 'true' ? 'checked' : e.disabled ? 'disabled' : e.getAttribute('aria-selected') === 'true' || e.getAttribute('aria-current') ? 'selected' : e.getAttribute('aria-expanded') === 'true' ? 'expanded' : '';
  const sec = sectionOf(e);
  let desc = title && title !== name ? title : (role === 'field' && e.placeholder && squeeze(e.placeholder) !== name && !e.value && !/^e\.g\./.test(e.placeholder)) ? squeeze(e.placeholder) : '';
  out.elements.push({box: got, name, role, kind: isText ? 'text' : 'icon', concept, label: ['field', 'combobox', 'slider', 'checkbox', 'radio', 'switch'].includes(role) ? caption : '', row: row, section: sec === name ? '' : sec, state: on, description: desc, passive: !!passive});
};
for (const e of document.querySelectorAll(ACTIVE)) if (!e.closest('[aria-hidden=true]')) add(e, false);
for (const e of document.querySelectorAll(READ)) if (!e.matches(ACTIVE)) add(e, true);
const word = (text, box) => { if (box.right - box.left >= 2 && box.bottom - box.top >= 4) out.words.push([box.left, box.top, box.right, box.bottom, text]); };
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = document.createRange();
for (let n = walker.nextNode(); n && out.words.length < 900; n = walker.nextNode()) {
  const p = n.parentElement;
  if (!p || !n.data.trim() || p.closest('script,style,noscript,option,textarea,title,defs') || !shown(p)) continue;
  const area = p.getBoundingClientRect(); if (area.bottom < 0 || area.top > H || area.right < 0 || area.left > W) continue;
  if (!readable(p)) continue;
  const upper = getComputedStyle(p).textTransform === 'uppercase';
  const report = (text, start, end) => {
    range.setStart(n, start); range.setEnd(n, end);
    const list = [...range.getClientRects()].filter(r => r.width > 0); if (!list.length) return;
    if (list.some(q => Math.abs(q.top - list[0].top) > 2)) {
      // The word is broken over lines: report the part on each line as a word of its own.
      let first = start, top = null;
      for (let k = start; k < end; k++) {
        range.setStart(n, k); range.setEnd(n, k + 1);
        const r = range.getClientRects()[0]; if (!r || !r.width) continue;
        if (top !== null && Math.abs(r.top - top) > 2) { if (k > first) report(text.slice(first - start, k - start), first, k); first = k; }
        top = r.top;
      }
      if (first > start) report(text.slice(first - start), first, end);
      return;
    }
    const r = {left: list[0].left, top: list[0].top, right: list[list.length - 1].right, bottom: list[0].bottom};
    r.width = r.right - r.left; r.height = r.bottom - r.top;
    const c = clip(p, r, true);
    if (c.width < .9 * r.width || c.height < .7 * r.height) return;
    const hit = document.elementFromPoint((c.left + c.right) / 2, (c.top + c.bottom) / 2);
    if (hit && (hit === p || p.contains(hit) || hit.contains(p))) word(upper ? text.toUpperCase() : text, r);
  };
  for (const m of n.data.matchAll(/\S+/g)) report(m[0], m.index, m.index + m[0].length);
}
const pen = document.createElement('canvas').getContext('2d');
for (const e of document.querySelectorAll('input,select,textarea')) {
  if (!shown(e) || ['checkbox', 'radio', 'range', 'file', 'color', 'image', 'hidden', 'password', 'date', 'time', 'number'].includes(e.type)) continue;
  const s = getComputedStyle(e), text = e.tagName === 'SELECT' ? (e.selectedOptions[0] ? e.selectedOptions[0].textContent : '') : e.value || e.placeholder;
  const r = e.getBoundingClientRect(); if (!text || !usable(e, r) || !readable(e)) continue;
  pen.font = `${s.fontStyle} ${s.fontWeight} ${s.fontSize} ${s.fontFamily}`; pen.letterSpacing = s.letterSpacing;
  const drawnText = s.textTransform === 'uppercase' ? text.toUpperCase() : text;
  const left = r.left + parseFloat(s.borderLeftWidth) + parseFloat(s.paddingLeft), room = r.right - parseFloat(s.borderRightWidth) - parseFloat(s.paddingRight);
  const size = parseFloat(s.fontSize), total = pen.measureText(drawnText).width;
  let x = left + (e.tagName === 'SELECT' && s.appearance !== 'none' ? 4 : 0);
  if (['submit', 'button', 'reset'].includes(e.type) && e.tagName === 'INPUT' || s.textAlign === 'center') x = left + Math.max(0, (room - left - total) / 2);
  const area = e.tagName === 'TEXTAREA';
  const line = parseFloat(s.lineHeight) || size * 1.2;
  const y = area ? r.top + parseFloat(s.borderTopWidth) + parseFloat(s.paddingTop) + line / 2 : (r.top + parseFloat(s.borderTopWidth) + parseFloat(s.paddingTop) + r.bottom - parseFloat(s.borderBottomWidth) - parseFloat(s.paddingBottom)) / 2;
  for (const m of drawnText.matchAll(/\S+/g)) {
    const a = x + pen.measureText(drawnText.slice(0, m.index)).width, b = a + pen.measureText(m[0]).width;
    let part = m[0]; while (part && a + pen.measureText(part).width > room + 1) part = part.slice(0, -1);
    if (part === m[0]) word(m[0], {left: a, top: y - size * .58, right: b, bottom: y + size * .58});
    else if (part) word(part, {left: a, top: y - size * .58, right: Math.min(room, a + pen.measureText(part).width), bottom: y + size * .58});
  }
}
return out;
}
"""
ADAPT = r"""
() => {
const s = getComputedStyle(document.body), r = document.documentElement.style;
let back = s.backgroundColor; if (/rgba\(.*, 0\)|transparent/.test(back)) back = getComputedStyle(document.documentElement).backgroundColor;
if (/rgba\(.*, 0\)|transparent/.test(back)) back = '#ffffff';
r.setProperty('--bg', back); r.setProperty('--fg', s.color); r.setProperty('--panel', `color-mix(in srgb, ${s.color} 3%, ${back})`);
r.setProperty('--line', `color-mix(in srgb, ${s.color} 18%, transparent)`);
r.setProperty('--soft', `color-mix(in srgb, var(--accent) 18%, ${back})`);
}
"""
