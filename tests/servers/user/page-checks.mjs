// What a designer would look at, as far as it can be computed. Each function runs in the page, so it stands alone.

// WCAG 2.2 success criterion 1.4.3: 4.5 to 1, or 3 to 1 for large text. Resolves to what falls short.
export function findLowContrast() {
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  // The browser itself reads and blends the colours, whatever notation they have.
  const paint = (...layers) => {
    context.clearRect(0, 0, 1, 1);
    for (const layer of layers) {
      context.fillStyle = layer;
      context.fillRect(0, 0, 1, 1);
    }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const backgrounds = (element) => (element
    ? [...backgrounds(element.parentElement), getComputedStyle(element).backgroundColor] : ['white']);

  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { parentElement: element, data } = walker.currentNode;
    if (!data.trim() || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const { color, fontSize, fontWeight } = getComputedStyle(element);
    const below = backgrounds(element);
    const [light, dark] = [luminance(paint(...below, color)), luminance(paint(...below))].toSorted((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    const pixels = parseFloat(fontSize);
    const isLarge = pixels >= 24 || (pixels >= 18.66 && fontWeight >= 700);
    texts.push({ text: data.trim(), ratio: Math.round(ratio * 100) / 100, enough: ratio >= (isLarge ? 3 : 4.5) });
  }
  if (!texts.length) return [{ text: 'the page has no text', ratio: 0, enough: false }];
  return texts.filter(({ enough }) => !enough);
}

// Whether the page is wider than the window.
export function hasOverflow() {
  return document.documentElement.scrollWidth > document.documentElement.clientWidth;
}
