import { startGateway } from '../../support/gateway.ts'
import type { Message } from '../../support/message.ts'
import { connect, requestText } from '../../support/wire.ts'
import { loadYaml, onFreePorts } from './load-yaml.ts'

/** Of a file: services by name with the ports of their instances, rules as YAML, and what else stands under `gateway`. */
export interface Parts {
  readonly services: Readonly<Record<string, readonly number[]>>
  readonly rules: string
  readonly sections?: string
}

function yamlFile({ services, rules, sections = '' }: Parts): string {
  const listed = Object.entries(services).map(([name, ports]) => {
    const instances = ports.map(port => `{ address: 127.0.0.1, port: ${port} }`)
    return `        - { name: ${name}, instances: [${instances.join(', ')}] }\n`
  })
  return `gateway:
  registry:
    static:
      services:
${listed.join('')}  router:
    rules:
${indented(rules, 6)}\n${indented(sections, 2)}`
}

function indented(text: string, by: number): string {
  return text.replace(/^\n+/, '').replace(/^(?=.)/gm, ' '.repeat(by))
}

export interface Asking {
  readonly port: number
  /** On a connection of its own, which is gone with the answer. */
  ask(request: string, lines?: readonly string[], body?: string): Promise<Message>
  /** Its status alone. */
  status(request: string, lines?: readonly string[]): Promise<number>
}

/** A gateway with such a file. */
export async function startYaml(parts: Parts): Promise<Asking> {
  const { port } = await startGateway(onFreePorts(await loadYaml(yamlFile(parts))))
  const ask: Asking['ask'] = async (request, lines = [], body = '') => {
    const wire = await connect(port)
    wire.send(requestText(request, lines, body))
    const response = await wire.response()
    wire.socket.destroy()
    return response
  }
  return { port, ask, status: async (request, lines) => (await ask(request, lines)).status }
}
