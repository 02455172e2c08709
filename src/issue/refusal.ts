/** Why nothing was issued: a value, for the admin listener's answer and the command line. */
export class IssueRefusal {
  /** 400: the request is wrong · 404: no such route · 422: this configuration does not allow it · 503: no secret at hand. */
  readonly status: 400 | 404 | 422 | 503;
  /** One sentence or two: what is wrong, and what to do about it. Never holds a secret. */
  readonly message: string;

  constructor(status: IssueRefusal["status"], message: string) {
    this.status = status;
    this.message = message;
  }
}
