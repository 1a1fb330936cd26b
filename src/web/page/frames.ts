/** Work on many things that is spread over frames, so that keys and scrolling are answered in between. */

export class Frames {
  private frame = 0

  /** Does a slice at once and another in each frame that follows, as long as `slice` says that there is more; what was begun before is left. */
  begin(slice: () => boolean): void {
    this.end()
    if (slice()) this.later(slice)
  }

  /** As `begin`, from the next frame on. */
  later(slice: () => boolean): void {
    this.end()
    this.frame = requestAnimationFrame(() => this.begin(slice))
  }

  end(): void {
    cancelAnimationFrame(this.frame)
  }
}
