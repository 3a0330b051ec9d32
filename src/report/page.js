// Values of charts: under the pointer, and by the arrow keys. Where curves lie is read off the drawing itself; what the
// axes show is in its metadata.
(() => {
  'use strict';
  const SVG = 'http://www.w3.org/2000/svg';
  const tip = document.createElement('output');
  tip.className = 'value';
  tip.hidden = true;
  document.body.append(tip);
  document.documentElement.classList.add('script');

  const number = (v, log) => String(Number(v.toPrecision(log ? 3 : 4)));
  const value = (at, from, to, [low, high, log]) => {
    const share = (at - from) / (to - from);
    return number(log ? low * (high / low) ** share : Math.abs(low + share * (high - low)) < 1e-4 * Math.abs(high - low)
      ? 0 : low + share * (high - low), log);
  };

  // Corners of lines, else marks, inside of the box of the panel.
  const points = (plot, [left, top, right, bottom]) => {
    const inside = ([x, y]) => x >= left - .1 && x <= right + .1 && y >= top - .1 && y <= bottom + .1;
    const pairs = (name, attribute, pattern) => [...plot.querySelectorAll(name)].flatMap(e =>
      [...(e.getAttribute(attribute) || '').matchAll(pattern)].map(m => [+m[1], +m[2]])).filter(inside);
    const lines = pairs('path', 'd', /[ML]\s*([-\d.]+)[ ,]([-\d.]+)/g);
    return lines.length ? lines : pairs('use', 'transform', /translate\(([-\d.]+),([-\d.]+)/g);
  };

  const curves = svg => {
    if (svg.curves) return svg.curves;
    const panels = JSON.parse(svg.querySelector('metadata')?.textContent || '[]');
    svg.curves = panels.flatMap((panel, p) => panel.curves.map((label, k) => {
      const id = `gnuplot_plot_${k + 1}${panels.length > 1 ? String.fromCharCode(97 + p) : ''}`;
      const plot = label === null ? null : svg.querySelector(`[id$="-${id}"]`);
      return {label, panel, points: plot ? points(plot, panel.box) : []};
    })).filter(c => c.points.length);
    svg.querySelectorAll('title').forEach(t => t.remove()); // the browser's own hints would hide ours
    return svg.curves;
  };

  const hide = svg => {
    tip.hidden = true;
    svg.querySelector('.mark')?.remove();
  };

  const show = (svg, curve, i) => {
    const [x, y] = curve.points[i], {box} = curve.panel;
    let mark = svg.querySelector('.mark');
    if (!mark) {
      mark = svg.appendChild(document.createElementNS(SVG, 'circle'));
      mark.setAttribute('class', 'mark');
      mark.setAttribute('r', 5);
    }
    mark.setAttribute('cx', x);
    mark.setAttribute('cy', y);
    svg.at = [curve, i];
    tip.textContent = `${curve.label ? curve.label + ': ' : ''}x ${value(x, box[0], box[2], curve.panel.x)}, ` +
      `y ${value(y, box[3], box[1], curve.panel.y)}`;
    tip.hidden = false;
    const at = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM());
    tip.style.left = `${Math.max(4, Math.min(at.x + 12, innerWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${Math.max(4, at.y - tip.offsetHeight - 10)}px`;
  };

  const follow = event => {
    const svg = event.currentTarget;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    let best = null, least = Infinity;
    for (const curve of curves(svg)) {
      const [left, top, right, bottom] = curve.panel.box;
      if (at.x < left - 9 || at.x > right + 9 || at.y < top - 9 || at.y > bottom + 9) continue;
      curve.points.forEach(([x, y], i) => {
        const distance = (x - at.x) ** 2 + (y - at.y) ** 2;
        if (distance < least) [best, least] = [[curve, i], distance];
      });
    }
    if (best) show(svg, ...best); else hide(svg);
  };

  const step = event => {
    const svg = event.currentTarget, all = curves(svg);
    const [across, along] = {ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0]}[event.key] || [];
    if (event.key === 'Escape') hide(svg);
    if (along === undefined || !all.length) return;
    event.preventDefault();
    const [curve, i] = svg.at || [all[0], -along];
    const next = all[(all.indexOf(curve) + across + all.length) % all.length];
    show(svg, next, Math.max(0, Math.min(i + along, next.points.length - 1)));
  };

  for (const svg of document.querySelectorAll('svg.chart')) {
    svg.addEventListener('pointermove', follow);
    svg.addEventListener('pointerdown', follow);
    svg.addEventListener('pointerleave', () => hide(svg));
    svg.addEventListener('blur', () => hide(svg));
    svg.addEventListener('keydown', step);
  }
})();
