import { either, flag, type GivenOf, mapOf, seconds, table, text, texts } from '../table/field.ts'
import { section } from './section.ts'

const watched = { noEffect: 'documents are watched as the file itself is', quiet: true }
const urls = { noEffect: 'documents at URLs are not fetched: name files' }

const generation = table({
  includeOptions: flag({ noEffect: 'OPTIONS is taken where a document has it' }),
  includeCORS: flag({ noEffect: 'preflights are answered by cors' }),
  pathStyle: text({
    says: 'Whether what is below a path is taken, too.',
    default: 'exact',
    oneOf: ['exact', 'prefix', 'wildcard'],
  }),
  operationIdAsRouteId: flag({ says: 'Whether rules are named for operations.', default: true }),
})

export const openapiTable = table({
  enabled: flag({ says: 'Whether OpenAPI documents bring rules along.', default: false }),
  specsDirectory: text({ says: 'A folder, and those in it, for files with openapi or swagger in their names.' }),
  specUrls: texts(urls),
  defaultService: text({ says: 'For operations that name no service.' }),
  reloadInterval: seconds(watched),
  watchFiles: flag(watched),
  hotReload: flag(watched),
  hotReloadInterval: either({ scalar: text() }, watched),
  serviceMappings: mapOf(text(), { says: 'Services by tag.' }),
  descriptors: table({
    specFiles: texts({ says: 'Documents, in JSON or YAML.' }),
    specDirs: texts({ says: 'Folders, and those in them, with nothing but documents.' }),
    specUrls: texts(urls),
    autoReload: flag(watched),
    reloadInterval: text(watched),
    failOnError: flag({ noEffect: 'a document that cannot be read is always an error', quiet: true }),
    fileExtensions: texts({ says: 'Of documents in specDirs; default: .yaml, .yml, .json.' }),
    defaultService: text({ says: 'As above, for these documents.' }),
  }),
  manager: table({
    updateStrategy: text({ noEffect: 'rules are those of the documents as they are', quiet: true }),
    conflictResolution: text({
      says: 'Where two say the same: newest is the one that is read later.',
      default: 'error',
      oneOf: ['newest', 'error', 'skip'],
    }),
    routePrefix: text({ says: 'Before the paths of documents, and not sent on.' }),
    routeGeneration: generation,
  }),
})
export type GivenOpenApi = GivenOf<typeof openapiTable>

/** Documents are read before all else: what they say is among the rules then. */
export const openapi = section('openapi', openapiTable, () => {})
