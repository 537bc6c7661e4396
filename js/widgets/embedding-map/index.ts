/** `EmbeddingMap`: the scored items in the plane. */

import { widget } from "../../shared/mount";
import "./style.css";
import { create } from "./view";

export default widget(create);
