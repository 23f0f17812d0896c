import { statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, sep } from 'node:path'
import type { Declaration, ExportDefaultDeclarationKind, Expression, ModuleExportName, Statement } from 'oxc-parser'
import { isRelativeImport, realPath, relativeCandidates } from './load-resolve.ts'
import { parseSource, type Source } from './locate-parse.ts'

/** An expression, and the file it stands in. */
export interface Spot {
  readonly source: Source
  readonly node: Expression
}

/** What a name of a module stands for: an expression, or all exports of another module. */
export type Binding = Spot | { readonly namespace: Source }

/** What a name means at the top level of a module. Names inside functions are not followed. */
export function findBinding(source: Source, name: string, depth = 0): Binding | undefined {
  for (const statement of source.program.body) {
    const declared = declaredBy(source, statement, name) ?? importedBy(source, statement, name, depth)
    if (declared !== undefined) return declared
  }
  return undefined
}

/** What a module exports under a name; `default` also finds CommonJS's `module.exports`. */
export function findExport(source: Source, name: string, depth = 0): Binding | undefined {
  // Two modules that pass each other's exports on would lead round for ever.
  if (depth > 20) return undefined
  for (const statement of source.program.body) {
    const found = exportedBy(source, statement, name, depth)
    if (found !== undefined) return found
  }
  return undefined
}

function exportedBy(source: Source, statement: Statement, name: string, depth: number): Binding | undefined {
  switch (statement.type) {
    case 'ExportDefaultDeclaration': {
      const { declaration } = statement
      return name === 'default' && isExpression(declaration) ? { source, node: declaration } : undefined
    }
    case 'TSExportAssignment':
      return name === 'default' ? { source, node: statement.expression } : undefined
    case 'ExpressionStatement':
      return name === 'default' ? assignedToModule(source, statement.expression) : undefined
    case 'ExportNamedDeclaration': {
      if (statement.declaration !== null) return declaredBy(source, statement.declaration, name)
      const specifier = statement.specifiers.find(({ exported }) => textOf(exported) === name)
      if (specifier === undefined) return undefined
      if (statement.source === null) return findBinding(source, textOf(specifier.local), depth)
      return exportOf(source, statement.source.value, textOf(specifier.local), depth)
    }
    case 'ExportAllDeclaration':
      if (statement.exported === null) {
        return name === 'default' ? undefined : exportOf(source, statement.source.value, name, depth)
      }
      return textOf(statement.exported) === name ? namespaceOf(source, statement.source.value) : undefined
    default:
      return undefined
  }
}

function isExpression(node: ExportDefaultDeclarationKind): node is Expression {
  return node.type !== 'TSInterfaceDeclaration'
}

/** `module.exports = …` */
function assignedToModule(source: Source, node: Expression): Spot | undefined {
  if (node.type !== 'AssignmentExpression' || node.left.type !== 'MemberExpression') return undefined
  const { object, property } = node.left
  const isModule = object.type === 'Identifier' && object.name === 'module'
  return isModule && property.type === 'Identifier' && property.name === 'exports'
    ? { source, node: node.right }
    : undefined
}

function declaredBy(source: Source, statement: Statement | Declaration, name: string): Spot | undefined {
  switch (statement.type) {
    case 'ExportNamedDeclaration':
      return statement.declaration === null ? undefined : declaredBy(source, statement.declaration, name)
    case 'VariableDeclaration': {
      const declarator = statement.declarations.find(({ id }) => id.type === 'Identifier' && id.name === name)
      return declarator?.init ? { source, node: declarator.init } : undefined
    }
    case 'FunctionDeclaration':
      return statement.id?.name === name ? { source, node: statement } : undefined
    default:
      return undefined
  }
}

function importedBy(source: Source, statement: Statement, name: string, depth: number): Binding | undefined {
  if (statement.type !== 'ImportDeclaration') return undefined
  const specifier = statement.specifiers.find(({ local }) => local.name === name)
  switch (specifier?.type) {
    case 'ImportDefaultSpecifier':
      return exportOf(source, statement.source.value, 'default', depth)
    case 'ImportSpecifier':
      return exportOf(source, statement.source.value, textOf(specifier.imported), depth)
    case 'ImportNamespaceSpecifier':
      return namespaceOf(source, statement.source.value)
    default:
      return undefined
  }
}

function exportOf(source: Source, specifier: string, name: string, depth: number): Binding | undefined {
  const module = importedSource(source, specifier)
  return module && findExport(module, name, depth + 1)
}

function namespaceOf(source: Source, specifier: string): Binding | undefined {
  const namespace = importedSource(source, specifier)
  return namespace && { namespace }
}

function textOf(name: ModuleExportName): string {
  return name.type === 'Literal' ? name.value : name.name
}

/** The module that an import means, when it is a local file or lies in a linked workspace package. */
function importedSource({ file }: Source, specifier: string): Source | undefined {
  if (isRelativeImport(specifier)) {
    const found = relativeCandidates(specifier, dirname(file)).find(isFile)
    return found === undefined ? undefined : parseSource(found)
  }
  try {
    const resolved = realPath(createRequire(file).resolve(specifier))
    return isFile(resolved) && !resolved.split(sep).includes('node_modules') ? parseSource(resolved) : undefined
  } catch {
    return undefined
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}
