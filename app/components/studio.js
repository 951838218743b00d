// The link to the studio, with the scene that the address holds at the moment it is used.

const STUDIO_CSS = `
  a { color: var(--st-primary-color); font-size: 0.875rem; white-space: nowrap; }
`;

export default mounter((root) => {
  const link = make("a", { href: "/api/studio", target: "_blank", rel: "noopener", text: "Open in the studio ↗",
    title: "The same scene as one Gradio page, which also runs in a notebook and is an API" });
  const aim = () => { link.href = `/api/studio${location.search}`; };
  for (const event of ["pointerdown", "pointerenter", "focus"]) link.addEventListener(event, aim);
  root.append(make("style", { text: SHARED_CSS + STUDIO_CSS }), link);
  return { update: aim };
});
