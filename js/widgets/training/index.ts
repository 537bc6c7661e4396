/** The panel of a training as a widget. */

import { widget } from "../../shared/mount";
import "./style.css";
import { create } from "./view";

export default widget(create);
