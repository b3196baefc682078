// Runs http-cache-tests against a cache: node conformance.mjs FOLDER_OF_THE_PACKAGE URL_OF_THE_CACHE REUSED
// REUSED are tests, with commas between them, whose last request is to be answered from the cache, whatever the package says.
// Prints one JSON object: for each test its kind and `true`, or what was wrong.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [folder, url, reused] = process.argv.slice(2)
const load = async path => (await import(pathToFileURL(`${folder}/${path}`)))
const fetch = createRequire(`${folder}/package.json`)('node-fetch')
const { makeCacheTest, testResults } = await load('client/test.mjs')
const config = await load('client/config.mjs')
const suites = [...(await load('tests/index.mjs')).default, (await load('tests/surrogate-control.mjs')).default]

config.setFetch(fetch)
config.setBaseUrl(url)

const tests = suites.flatMap(suite => suite.tests).filter(test => !test.browser_only)

for (const id of reused.split(',')) {
  const test = tests.find(test => test.id === id)
  // One that the package has corrected by now does not belong into the list.
  if (test?.requests.at(-1).expected_type !== 'not_cached') throw new Error(`${id} does not want what it is said to want`)
  test.requests.at(-1).expected_type = 'cached'
}

async function run (some) {
  for (let first = 0; first < some.length; first += 100) {
    // A test is written into while it runs.
    await Promise.all(some.slice(first, first + 100).map(test => makeCacheTest(structuredClone(test))))
  }
}

await run(tests)
// Many count on something that happens within two seconds, which a busy machine may not keep.
const failed = tests.filter(test => testResults[test.id] !== true)
failed.forEach(test => delete testResults[test.id])
await run(failed)

const report = {}
for (const test of tests) {
  report[test.id] = { kind: test.kind ?? 'required', result: testResults[test.id] }
}
console.log(JSON.stringify(report))
