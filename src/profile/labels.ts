/** Where labels of dots go: beside their dot if there is room, else farther away, with a line that leads to it. */

export interface Dot {
  readonly x: number
  readonly y: number
  readonly radius: number
}

/** A rectangle by its middle, in pixels. */
export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** Whether two rectangles cover a point in common. */
export function overlap(a: Box, b: Box): boolean {
  return 2 * Math.abs(a.x - b.x) < a.width + b.width && 2 * Math.abs(a.y - b.y) < a.height + b.height
}

export function boxOf({ x, y, radius }: Dot): Box {
  return { x, y, width: 2 * radius, height: 2 * radius }
}

const DIRECTIONS = 16
const FARTHEST = 40

/**
 * A box of the given size for each of the first `count` dots: the nearest place within the frame that covers no dot, no
 * other label and nothing of `taken`. Where there is none the label lies on its dot.
 */
export function placeLabels(
  dots: readonly Dot[],
  count: number,
  size: Pick<Box, 'width' | 'height'>,
  frame: { width: number; height: number },
  taken: readonly Box[],
): Box[] {
  const obstacles = [...taken, ...dots.map(boxOf)]
  return dots.slice(0, count).map((dot) => {
    const box = candidates(dot, size).find(
      (one) => isWithin(one, frame) && !obstacles.some((other) => overlap(one, other)),
    ) ?? { x: dot.x, y: dot.y, ...size }
    obstacles.push(box)
    return box
  })
}

/** Rings around the dot, each begun at its right. */
function candidates({ x, y, radius }: Dot, size: Pick<Box, 'width' | 'height'>): Box[] {
  return Array.from({ length: DIRECTIONS * FARTHEST }, (_, i) => {
    const angle = (2 * Math.PI * (i % DIRECTIONS)) / DIRECTIONS
    const distance = radius + 1 + 3 * Math.floor(i / DIRECTIONS)
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
    return { x: x + cos * (distance + size.width / 2), y: y - sin * (distance + size.height / 2), ...size }
  })
}

function isWithin({ x, y, width, height }: Box, frame: { width: number; height: number }): boolean {
  return x >= width / 2 && x <= frame.width - width / 2 && y >= height / 2 && y <= frame.height - height / 2
}
