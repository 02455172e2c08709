/** The published ways to put NGINX in front of a bucket, as they come to lie on three systems. */

/** How the line that sets Host stands in the file. */
export const HOST_LINES = {
  present: "proxy_set_header Host $host;",
  absent: "",
  "commented out": "# proxy_set_header Host $host;",
} as const;

export interface Recipe {
  readonly serverName: string;
  /** `80`, or an address and a port. */
  readonly listen: string;
  readonly bucketUrl: string;
  readonly hostLine: string;
  /** Stands in the `http` block. */
  readonly http: string;
}

type Files = (recipe: Recipe) => Readonly<Record<string, string>>;

/** Debian's and Ubuntu's main file, and the site in sites-enabled. */
const ubuntu: Files = ({ serverName, listen, bucketUrl, hostLine, http }) => ({
  "nginx.conf": `
events {
	worker_connections 768;
	# multi_accept on;
}

http {
	##
	# Basic Settings
	##
	sendfile on;
	tcp_nopush on;
	types_hash_max_size 2048;
	# server_tokens off;
	include mime.types;
	default_type application/octet-stream;
	access_log access.log;
	gzip on;
	${http}
	include conf.d/*.conf;
	include sites-enabled/*;
}
`,
  "mime.types": "types { text/html html htm; image/jpeg jpeg jpg; }\n",
  "sites-enabled/default": `
server {
	listen ${listen};
	server_name ${serverName};

	location / {
		proxy_pass ${bucketUrl};
		${hostLine}
	}
}
`,
});

/** The package of RHEL and CentOS: one file with a server in it. */
const centos: Files = ({ serverName, listen, bucketUrl, hostLine, http }) => ({
  "nginx.conf": `
# For more information on configuration, see:
#   * Official English Documentation: the manual
include modules/*.conf;

events {
    worker_connections 1024;
}

http {
    log_format  main  '$remote_addr - $remote_user [$time_local] "$request" '
                      '$status $body_bytes_sent "$http_referer" '
                      '"$http_user_agent" "$http_x_forwarded_for"';

    access_log  access.log  main;

    sendfile            on;
    tcp_nopush          on;
    tcp_nodelay         on;
    keepalive_timeout   65;
    types_hash_max_size 4096;
    default_type        application/octet-stream;
    ${http}

    server {
        listen       ${listen};
        server_name  ${serverName};
        root         html;

        # Load configuration files for the default server block.
        include default.d/*.conf;

        location / {
            proxy_pass ${bucketUrl};
            ${hostLine}
        }

        error_page 404 /404.html;
            location = /404.html {
        }

        error_page 500 502 503 504 /50x.html;
            location = /50x.html {
        }
    }
}
`,
});

/** The archive for Windows, with its many commented lines and its line ends. */
const windows: Files = ({ serverName, listen, bucketUrl, hostLine, http }) => ({
  "nginx.conf": `
#user  nobody;
#error_log  logs/error.log;
#pid        logs/nginx.pid;


events {
    worker_connections  1024;
}


http {
    default_type  application/octet-stream;
    #access_log  logs/access.log  main;
    access_log off;
    sendfile        on;
    #keepalive_timeout  0;
    keepalive_timeout  65;
    #gzip  on;
    ${http}

    server {
        listen       ${listen};
        server_name  ${serverName};

        #charset koi8-r;

        location / {
            proxy_pass ${bucketUrl};
            ${hostLine}
            # root   html;
            # index  index.html index.htm;
        }

        # deny access to .htaccess files, if Apache's document root
        # concurs with nginx's one
        #
        #location ~ /\\.ht {
        #    deny  all;
        #}
    }
}
`.replaceAll("\n", "\r\n"),
});

export const RECIPES = { ubuntu, centos, windows } as const;
