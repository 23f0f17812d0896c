#!/usr/bin/env node
import { main } from '../src/make-key.ts'

process.exitCode = await main(process.argv.slice(2))
