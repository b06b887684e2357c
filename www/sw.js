// Makes the page work offline: the first load is kept in a cache that is called after its content, and taken from there
// from then on. A new version is fetched as a whole into a cache of its own, and the old ones are removed when it takes
// over. Everything is relative to this file, so that the folder works at any path.

importScripts('files.js');

const { version, files } = self.FILES;
const PREFIX = `watchpost ${new URL(self.registration.scope).pathname} `;
const CACHE = PREFIX + version;

self.addEventListener('install', (event) => {
  const fresh = files.map((file) => new Request(file, { cache: 'reload' }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fresh)));
});

self.addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

self.addEventListener('message', ({ data }) => {
  if (data === 'take over') self.skipWaiting();
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || new URL(request.url).origin !== self.location.origin) return;
  event.respondWith((async () => {
    const cache = await caches.open(CACHE);
    // `?emit=all` and the like are questions to the page, not to the server.
    const kept = await cache.match(request, { ignoreSearch: true });
    return kept ?? fetch(request);
  })());
});
