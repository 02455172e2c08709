/**
 * A pattern of a Referer list: `*` stands for any characters, `?` for exactly one (oss-semantics §5.2). What is
 * compared has a head, scheme and host, where the case of letters does not count, and a tail where it does.
 */
export interface Glob {
  /** What stands between the stars, in order. */
  readonly pieces: readonly Piece[];
}

interface Piece {
  readonly text: string;
  readonly folded: string;
  /** Whether it reads the same in any case and has no `?`, so that the engine's own search finds it. */
  readonly isPlain: boolean;
}

/** The text that a glob is compared with. */
export interface Subject {
  /** In lower case up to `foldedEnd`. */
  readonly text: string;
  readonly foldedEnd: number;
}

const ANY_ONE = "?";

export function compileGlob(pattern: string): Glob {
  return { pieces: pattern.split(/\*+/).map(compilePiece) };
}

function compilePiece(text: string): Piece {
  const folded = text.toLowerCase();
  return { text, folded, isPlain: folded === text && !text.includes(ANY_ONE) };
}

/**
 * Whether the text begins as the glob says; what follows is open. Each piece is looked for once, to the right of the one
 * before: as the end is open, its first place is as good as any, so nothing is ever tried again. At worst it takes the
 * text's length times that of the longest piece.
 */
export function matchesStart({ pieces }: Glob, subject: Subject): boolean {
  return endOfPieces(pieces, pieces.length, subject) !== -1;
}

/** Whether the text is what the glob says, from its start to its end. */
export function matchesWhole({ pieces }: Glob, subject: Subject): boolean {
  const last = pieces[pieces.length - 1] as Piece;
  const lastAt = subject.text.length - last.text.length;
  if (lastAt < 0 || !pieceIsAt(last, subject, lastAt)) return false;
  if (pieces.length === 1) return lastAt === 0;
  const end = endOfPieces(pieces, pieces.length - 1, subject);
  return end !== -1 && end <= lastAt;
}

/** Where the last of the first `count` pieces ends when each stands as early as it can, the first at the start; or -1. */
function endOfPieces(pieces: readonly Piece[], count: number, subject: Subject): number {
  const first = pieces[0] as Piece;
  if (!pieceIsAt(first, subject, 0)) return -1;
  let end = first.text.length;
  for (let index = 1; index < count; index += 1) {
    const piece = pieces[index] as Piece;
    const at = findPiece(piece, subject, end);
    if (at === -1) return -1;
    end = at + piece.text.length;
  }
  return end;
}

function findPiece(piece: Piece, subject: Subject, from: number): number {
  if (piece.isPlain) return subject.text.indexOf(piece.text, from);
  for (let at = from; at + piece.text.length <= subject.text.length; at += 1) {
    if (pieceIsAt(piece, subject, at)) return at;
  }
  return -1;
}

function pieceIsAt({ text, folded }: Piece, subject: Subject, at: number): boolean {
  if (at + text.length > subject.text.length) return false;
  for (let i = 0; i < text.length; i += 1) {
    if (text[i] === ANY_ONE) continue;
    const wanted = at + i < subject.foldedEnd ? folded[i] : text[i];
    if (subject.text[at + i] !== wanted) return false;
  }
  return true;
}
