/** Configuration files of the NGINX that are measured and of the NGINX that is the origin. */
import { userInfo } from "node:os";

export interface ProxyPorts {
  readonly listenPort: number;
  readonly originPort: number;
}

/** Writes the part of the http block that makes this NGINX what it is. */
export type NginxFlavour = (ports: ProxyPorts) => string;

/** The published way to put NGINX in front of a bucket: one proxy_pass and the Host, nothing else set. */
export const NGINX_RECIPE: NginxFlavour = ({ listenPort, originPort }) => `
  access_log access.log combined;
  # Not in the recipe: its 1 MiB would refuse the uploads that are measured.
  client_max_body_size 5g;
  server {
    listen 127.0.0.1:${listenPort};
    server_name 127.0.0.1 bench.localhost;
    location / {
      proxy_pass http://127.0.0.1:${originPort};
      proxy_set_header Host $host;
    }
  }`;

/** The recipe with upstream connections that stay open. */
export const NGINX_POOL: NginxFlavour = ({ listenPort, originPort }) => `
  access_log access.log combined;
  client_max_body_size 5g;
  upstream origin {
    server 127.0.0.1:${originPort};
    keepalive 64;
  }
  server {
    listen 127.0.0.1:${listenPort};
    server_name 127.0.0.1 bench.localhost;
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
    }
  }`;

/** Static files for any Host, as cheap as NGINX can give them. */
export function originFlavour(filesDirectory: string): NginxFlavour {
  return ({ listenPort }) => `
  access_log off;
  open_file_cache max=16;
  keepalive_requests 100000000;
  server {
    listen 127.0.0.1:${listenPort} default_server;
    root ${filesDirectory};
  }`;
}

/**
 * A whole configuration file around one flavour. What stands outside the flavour is what distributions ship
 * (the number of workers apart), and the paths keep every file inside `directory`.
 */
export function nginxConfig(directory: string, httpBlock: string, workers = 1): string {
  return `${userDirective()}
worker_processes ${workers};
daemon off;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log;
events { worker_connections 1024; }
http {
  sendfile on;
  tcp_nopush on;
  default_type application/octet-stream;
  client_body_temp_path ${directory}/client-body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
${httpBlock}
}
`;
}

/** Started by root, the worker would change to a user who may not enter the private temporary folder. */
function userDirective(): string {
  const { uid, username } = userInfo();
  return uid === 0 ? `user ${username} ${username};` : "";
}
