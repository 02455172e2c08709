/* The page's own script: plays one URL with hls.js and says what came of it. */

/**
 * Plays to the end, or to the first error that hls.js cannot get over.
 * @param {{ url: string, rate: number, limitMs: number, isSwitching: boolean, query: string, config: object }} options
 *   `isSwitching`: from the lowest to the highest variant after the first segment;
 *   `query`: put behind every URL that hls.js asks for, but for the first
 */
window.play = ({ url, rate, limitMs, isSwitching, query, config }) => {
  const video = document.getElementById("video");
  const hls = new Hls({ ...config, ...(query === "" ? {} : { xhrSetup: appendQuery(query) }) });
  const report = { outcome: "", errors: [], widths: [] };
  return new Promise((resolve) => {
    const end = (outcome) => {
      clearTimeout(timer);
      const ranges = Array.from({ length: video.played.length }, (_, i) => [
        video.played.start(i),
        video.played.end(i),
      ]);
      const { totalVideoFrames } = video.getVideoPlaybackQuality();
      const { duration } = video;
      hls.destroy();
      resolve({ ...report, outcome, duration, ranges, totalVideoFrames });
    };
    const timer = setTimeout(() => end("timed out"), limitMs);
    hls.on(Hls.Events.ERROR, (_, { type, details, fatal, response }) => {
      report.errors.push({ type, details, fatal, status: response?.code ?? null });
      if (fatal) end("failed");
    });
    if (isSwitching) {
      hls.once(Hls.Events.FRAG_BUFFERED, () => {
        hls.loadLevel = hls.levels.length - 1;
      });
    }
    video.addEventListener("resize", () => report.widths.push(video.videoWidth));
    video.addEventListener("ended", () => end("ended"));
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      video.playbackRate = rate;
      video.play().catch((error) => report.errors.push({ type: "play", details: String(error), fatal: true }));
    });
    hls.loadSource(url);
    hls.attachMedia(video);
  });
};

function appendQuery(query) {
  return (xhr, url) => {
    if (!url.includes("?")) xhr.open("GET", `${url}?${query}`, true);
  };
}
