import { stages } from '../contract/plugin.ts'
import type { Report } from './issues.ts'
import type { PluginModel } from './model.ts'

/**
 * The order of request hooks: by stage; within a stage whoever writes a slot before whoever needs it; else as listed.
 * A slot that nobody writes, a reader in an earlier stage than every writer, and a circle are problems.
 */
export function orderPlugins(plugins: readonly PluginModel[], report: Report): PluginModel[] {
  for (const plugin of plugins) checkNeeds(plugin, plugins, report)
  return stages.flatMap(stage =>
    orderStage(
      plugins.filter(plugin => stageOf(plugin) === stage),
      report,
    ),
  )
}

const stageOf = (plugin: PluginModel) => plugin.definition.stage ?? 'shape'
const writes = (plugin: PluginModel) => plugin.definition.writes ?? []
const needs = (plugin: PluginModel) => plugin.definition.needs ?? []

/** Whether `reader` needs a slot that `writer` writes. Slots are the same by name. */
function dependsOn(reader: PluginModel, writer: PluginModel): boolean {
  return reader !== writer && needs(reader).some(slot => writes(writer).some(written => written.name === slot.name))
}

function checkNeeds(reader: PluginModel, plugins: readonly PluginModel[], report: Report): void {
  const path = ['plugins', reader.position]
  for (const slot of needs(reader)) {
    const writers = plugins.filter(
      plugin => plugin !== reader && writes(plugin).some(written => written.name === slot.name),
    )
    if (writers.length === 0) {
      report({
        code: 'CONFIG_SLOT_NOT_WRITTEN',
        message: `plugin "${reader.name}" needs slot "${slot.name}", which no plugin writes`,
        hint: 'add the plugin that writes it',
        path,
      })
    } else if (writers.every(writer => stages.indexOf(stageOf(writer)) > stages.indexOf(stageOf(reader)))) {
      const chain = writers.map(writer => `"${writer.name}" (${stageOf(writer)})`).join(', ')
      report({
        code: 'CONFIG_SLOT_WRITTEN_TOO_LATE',
        message: `plugin "${reader.name}" (${stageOf(reader)}) needs slot "${slot.name}", which is written later, by ${chain}`,
        path,
      })
    }
  }
}

function orderStage(plugins: readonly PluginModel[], report: Report): PluginModel[] {
  const waiting = [...plugins]
  const ordered: PluginModel[] = []
  while (waiting.length > 0) {
    const next = waiting.findIndex(plugin => !waiting.some(other => dependsOn(plugin, other)))
    if (next === -1) {
      const circle = findCircle(waiting)
      const names = [...circle, ...circle.slice(0, 1)].map(plugin => `"${plugin.name}"`).join(' -> ')
      const message = `plugins need each other's slots in a circle: ${names}`
      report({ code: 'CONFIG_PLUGIN_CIRCLE', message, path: ['plugins', circle[0]?.position ?? 0] })
      return [...ordered, ...waiting]
    }
    ordered.push(...waiting.splice(next, 1))
  }
  return ordered
}

/** Each depends on the next, the last on the first. Every one of `plugins` depends on another of them. */
function findCircle(plugins: readonly PluginModel[]): PluginModel[] {
  const seen: PluginModel[] = []
  let at = plugins[0]
  while (at !== undefined && !seen.includes(at)) {
    const reader = at
    seen.push(reader)
    at = plugins.find(writer => dependsOn(reader, writer))
  }
  return at === undefined ? seen : seen.slice(seen.indexOf(at))
}
