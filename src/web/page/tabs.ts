/**
 * Tabs after the ARIA pattern with automatic activation: the arrow keys, Home and End move among them, Tab goes on into the panel.
 * The address keeps which is shown, so that a link or a reload comes back to it.
 */

export interface Tabs {
  /** Id of the panel that is shown. */
  readonly shown: string
  show(panel: string): void
}

export function openTabs(list: HTMLElement, onShow: (panel: HTMLElement) => void): Tabs {
  const tabs = [...list.querySelectorAll<HTMLElement>('[role=tab]')]
  const panelOf = (tab: HTMLElement) =>
    document.getElementById(tab.getAttribute('aria-controls') ?? '') as HTMLElement
  let shown = panelOf(tabs[0]).id

  const show = (wanted: HTMLElement) => {
    for (const tab of tabs) {
      const selected = tab === wanted
      tab.setAttribute('aria-selected', String(selected))
      tab.tabIndex = selected ? 0 : -1
      panelOf(tab).hidden = !selected
    }
    shown = panelOf(wanted).id
    history.replaceState(null, '', `#${shown}`)
    onShow(panelOf(wanted))
  }
  const tabOf = (panel: string) => tabs.find((tab) => panelOf(tab).id === panel)

  for (const [i, tab] of tabs.entries()) {
    tab.addEventListener('click', () => show(tab))
    tab.addEventListener('keydown', (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tabs.length - 1 }[event.key]
      if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return
      event.preventDefault()
      const next = tabs[(to + tabs.length) % tabs.length]
      next.focus()
      show(next)
    })
  }
  const asked = tabOf(location.hash.slice(1))
  if (asked) show(asked)
  return {
    get shown() {
      return shown
    },
    show(panel) {
      const tab = tabOf(panel)
      if (tab) show(tab)
    },
  }
}
