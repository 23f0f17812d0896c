// Which target gets a request: in turns by weight, any, the one with the least to do, the quickest.
import { balancing } from '@gateway/balancing'
import { defineConfig } from '@gateway/core'

const targets = [
  { url: 'http://127.0.0.1:3001', weight: 3 },
  { url: 'http://127.0.0.1:3002', weight: 1 },
  // Gets nothing.
  { url: 'http://127.0.0.1:3003', weight: 0 },
]

export default defineConfig({
  listen: { port: 8080 },
  plugins: [balancing()],
  services: {
    shop: { targets },
    images: { targets, balance: 'random' },
    orders: { targets, balance: 'leastRequests' },
    search: { targets, balance: 'ewma' },
  },
  routes: {
    site: { match: 'ANY /*', service: 'shop' },
    images: { match: 'ANY /images/*', service: 'images' },
    orders: { match: 'ANY /orders/*', service: 'orders' },
    search: { match: 'ANY /search', service: 'search' },
  },
})
