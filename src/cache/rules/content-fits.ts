/** Whether a response type fits what the path's suffix promises; true for paths without a static-looking suffix (cache deception: an account page as `/account/x.css`). */
export function contentFits(path: string, contentType: string): boolean {
  return path === contentType
}
