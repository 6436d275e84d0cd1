/** A text that users or their apps made up: in a direction of its own, cut to the room there is, whole in the title. */
export function UserText({ text }: { readonly text: string }) {
  return (
    <bdi class="user-text" title={text}>
      {text}
    </bdi>
  );
}
