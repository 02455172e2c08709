/** The document of the status page: what stands still. Numbers are filled in by `app.js`. */
export const DOCUMENT = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>ossgate status</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/status/uplot.css">
<link rel="stylesheet" href="/status/style.css">
<script type="module" src="/status/app.js"></script>
</head>
<body>
<header class="top">
  <h1>ossgate</h1>
  <p id="state" class="pill" role="status">Loading</p>
  <p id="summary" class="quiet"></p>
  <p id="clock" class="quiet clock"></p>
</header>
<nav class="jump" aria-label="Sections"><a href="#h-charts">Charts</a> <a href="#h-events">Last errors</a> <a href="#h-routes">Routes</a> <a href="#h-buckets">Buckets</a> <a href="#h-keys">Certificates</a> <a href="#h-workers">Processes</a></nav>
<div id="lost" class="banner" role="alert" hidden></div>
<main>
  <noscript><p class="banner">This page needs JavaScript. The same numbers are at <a href="/metrics">/metrics</a>.</p></noscript>
  <section id="problems" class="attention" aria-labelledby="h-problems" hidden>
    <h2 id="h-problems">Needs attention</h2>
    <ul id="attention"></ul>
  </section>
  <section aria-label="Now" id="tiles" class="tiles"></section>
  <section aria-labelledby="h-charts">
    <div class="head"><h2 id="h-charts">Last 15 minutes</h2><p class="scope"><span id="scope">All routes</span> <button type="button" id="all" hidden>Show all routes</button></p></div>
    <div class="charts">
      <figure><figcaption>Requests per second</figcaption><div id="c-requests" class="chart"></div></figure>
      <figure><figcaption>Bandwidth</figcaption><div id="c-bytes" class="chart"></div></figure>
      <figure><figcaption>Latency</figcaption><div id="c-latency" class="chart"></div></figure>
      <figure><figcaption>Refused and failed per second</figcaption><div id="c-errors" class="chart"></div></figure>
    </div>
  </section>
  <section aria-labelledby="h-events">
    <div class="head"><h2 id="h-events">Last refusals and errors</h2><p class="quiet">Alike ones within ten seconds are one line.</p></div>
    <div class="scroll" tabindex="0" role="region" aria-labelledby="h-events"><table class="events" id="events"></table></div>
    <p class="more"><button type="button" id="more-events" hidden></button></p>
    <p id="no-events" class="quiet empty">Nothing was refused and nothing failed since the start.</p>
  </section>
  <section aria-labelledby="h-routes">
    <div class="head"><h2 id="h-routes">Routes</h2><p class="quiet">Choose one to see its charts.</p>
      <p id="routes-tools" class="tools" hidden>
        <label>Find <input id="filter" type="search" autocomplete="off" spellcheck="false"></label>
        <label>Sort by <select id="order"><option value="">configuration</option><option value="requests">requests</option><option value="sentBytes">bytes to clients</option><option value="failed">failed</option><option value="refused">refused</option><option value="p95">95 %</option></select></label>
      </p></div>
    <div class="scroll" tabindex="0" role="region" aria-labelledby="h-routes"><table class="cards" id="routes"></table></div>
    <p id="no-routes" class="quiet empty" hidden>No route has that in its name, host or bucket.</p>
    <p id="left-out" class="quiet empty" hidden></p>
  </section>
  <div class="columns">
    <section aria-labelledby="h-buckets"><h2 id="h-buckets">Buckets</h2><ul id="buckets" class="list"></ul></section>
    <section aria-labelledby="h-keys"><h2 id="h-keys">Credentials and certificates</h2><ul id="keys" class="list"></ul></section>
    <section aria-labelledby="h-config"><h2 id="h-config">Configuration</h2><div id="config"></div></section>
    <section aria-labelledby="h-workers"><h2 id="h-workers">Processes</h2><ul id="workers" class="list"></ul></section>
    <section aria-labelledby="h-quotas" id="quotas-section" hidden><h2 id="h-quotas">Thresholds of OSS</h2><ul id="quotas" class="list"></ul></section>
  </div>
</main>
<footer class="quiet">Other pages: <a href="/metrics">/metrics</a> <a href="/config?format=yaml">/config</a> <a href="/readyz">/readyz</a> <a href="/tops">/tops</a></footer>
</body>
</html>
`;
