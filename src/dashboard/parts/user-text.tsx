/**
 * A text from users or apps. It has its own text direction, is truncated to fit, and is complete in the
 * title.
 */
export function UserText({ text }: { readonly text: string }) {
  return (
    <bdi class="user-text" title={text}>
      {text}
    </bdi>
  );
}
