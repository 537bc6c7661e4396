import { LabIcon } from "@jupyterlab/ui-components";

const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><g class="jp-icon3" fill="#616161">
<path d="M4.6 12.9 11 7.4l.9 1.1-6.4 5.5zM12.4 9l5.9 7.2-1.1.9-5.9-7.2zM13 6.6l6-1.9.4 1.4-6 1.9z"/>
<circle cx="4" cy="14" r="2.6"/><circle cx="12" cy="7.6" r="2.6"/><circle cx="20" cy="5" r="2.4"/></g>
<circle class="jp-icon-selectable" cx="18.4" cy="17.8" r="3.4" fill="#ff8a00"/></svg>`;

/** A path of queries that ends at a find. */
export const searchIcon = new LabIcon({ name: "emb-opt-widgets:search", svgstr: SVG });
