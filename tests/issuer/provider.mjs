// A real OpenID provider for tests. PORT is where it listens (0: anywhere), HOST is the host in its name, KEY names the key that it signs with, TOOLS is the
// folder with its library. It says its port on a line of its own.
import { createServer } from 'node:http';

const { PORT = '0', HOST = '127.0.0.1', KEY = 'key-1', TOOLS, CLIENTS = '[]' } = process.env;
const { Provider } = await import(`${TOOLS}/node_modules/oidc-provider/lib/index.js`);
const { exportJWK, generateKeyPair } = await import(`${TOOLS}/node_modules/jose/dist/webapi/index.js`);

const { privateKey } = await generateKeyPair('RS256', { extractable: true });
const key = { ...(await exportJWK(privateKey)), kid: KEY, use: 'sig', alg: 'RS256' };

const server = createServer();
server.listen(Number(PORT), '127.0.0.1', () => {
  const { port } = server.address();
  const issuer = `http://${HOST}:${port}`;
  const provider = new Provider(issuer, {
    jwks: { keys: [key] },
    clients: [
      {
        client_id: 'service',
        client_secret: 'service-secret-of-the-tests',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        scope: 'orders.read orders.write',
      },
      ...JSON.parse(CLIENTS),
    ],
    clientDefaults: { id_token_signed_response_alg: 'RS256' },
    scopes: ['openid', 'offline_access', 'orders.read', 'orders.write'],
    cookies: { keys: ['a key of the tests'] },
    pkce: { required: () => true },
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      devInteractions: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (context, resource) => ({
          audience: resource,
          scope: 'orders.read orders.write',
          accessTokenTTL: 600,
          accessTokenFormat: resource.endsWith(':opaque') ? 'opaque' : 'jwt',
        }),
      },
    },
    findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    ttl: { AccessToken: 600, ClientCredentials: 600, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600, RefreshToken: 3600 },
  });
  server.on('request', provider.callback());
  console.log(`listening ${port}`);
});
